/* SPDX-License-Identifier: MIT */
#include "os/memory.h"

void memory_give_back(void)
{
}

void memory_get_ahead(void)
{
}
