/* SPDX-License-Identifier: MIT */
/*
 * Public nkeys of users, and signatures by them (PROTOCOL 10.4).
 *
 * A public key is 56 letters of base32: a byte that says whose it is, the 32 bytes of an Ed25519
 * key, and a checksum.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum { NKEY_LETTERS = 56, NKEY_BYTES = 32, NKEY_SIGNATURE_BYTES = 64, NKEY_NONCE = 15 };

/* False: it is not a public user key. */
bool nkey_read_user(struct slice text, uint8_t key[NKEY_BYTES]);

/* base64url without padding, or base64 with it, as nats-server takes them. False: neither. */
bool nkey_read_signature(struct slice text, uint8_t signature[NKEY_SIGNATURE_BYTES]);

/* What a client is to sign: eleven random bytes as text. */
void nkey_write_nonce(const uint8_t random[11], char nonce[NKEY_NONCE]);
