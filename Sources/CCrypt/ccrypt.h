// The parts of libcrypt that the gateway uses: hashing of passwords.
#pragma once

#include <crypt.h>
