/* SPDX-License-Identifier: MIT */
/*
 * Taking a connection that neither blocks nor is inherited: accept_flags.c where accept4(2) is,
 * accept_fcntl.c elsewhere.
 */
#pragma once

struct sockaddr_storage;

/* The descriptor or -errno. */
int accept_connection(int listener, struct sockaddr_storage *peer);
