// The parts of OpenSSL's libcrypto that the gateway uses: digests, HMAC, constant-time comparison, random bytes.
#pragma once

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
