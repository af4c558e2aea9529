/* SPDX-License-Identifier: MIT */
#include "os/units.h"

#include <unistd.h>

void units_init(struct units *units, struct loop *loop)
{
	(void)units, (void)loop;
}

void units_fini(struct units *units)
{
	(void)units;
}

struct unit *units_ask(struct units *units, pid_t pid)
{
	(void)units, (void)pid;
	return NULL;
}

struct unit *unit_of_name(struct slice name)
{
	(void)name;
	return NULL;
}

const char *unit_name(const struct unit *unit)
{
	(void)unit;
	return NULL;
}

void unit_make_sure(struct unit *unit, int process)
{
	(void)unit;
	if (process >= 0)
		close(process);
}

void unit_trust(struct unit *unit)
{
	(void)unit;
}

bool unit_is_pending(const struct unit *unit)
{
	(void)unit;
	return false;
}

const char *unit_sure_name(const struct unit *unit)
{
	(void)unit;
	return NULL;
}

void unit_free(struct unit *unit)
{
	(void)unit;
}
