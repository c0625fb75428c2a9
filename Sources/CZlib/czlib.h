// The system's zlib, with input pointers that are const.
#pragma once

#define ZLIB_CONST
#include <zlib.h>
