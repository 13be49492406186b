/* SHA-256; the names of the functions and words are those of FIPS 180-4. */
#include "base/sha256.h"

#include <string.h>

#define ROUNDS 64
#define BLOCK  64 /* bytes */

/* Fractions of the cube roots of the first 64 primes. */
static const uint32_t k[ROUNDS] = {
    0x428a2f98U, 0x71374491U, 0xb5c0fbcfU, 0xe9b5dba5U, 0x3956c25bU, 0x59f111f1U, 0x923f82a4U,
    0xab1c5ed5U, 0xd807aa98U, 0x12835b01U, 0x243185beU, 0x550c7dc3U, 0x72be5d74U, 0x80deb1feU,
    0x9bdc06a7U, 0xc19bf174U, 0xe49b69c1U, 0xefbe4786U, 0x0fc19dc6U, 0x240ca1ccU, 0x2de92c6fU,
    0x4a7484aaU, 0x5cb0a9dcU, 0x76f988daU, 0x983e5152U, 0xa831c66dU, 0xb00327c8U, 0xbf597fc7U,
    0xc6e00bf3U, 0xd5a79147U, 0x06ca6351U, 0x14292967U, 0x27b70a85U, 0x2e1b2138U, 0x4d2c6dfcU,
    0x53380d13U, 0x650a7354U, 0x766a0abbU, 0x81c2c92eU, 0x92722c85U, 0xa2bfe8a1U, 0xa81a664bU,
    0xc24b8b70U, 0xc76c51a3U, 0xd192e819U, 0xd6990624U, 0xf40e3585U, 0x106aa070U, 0x19a4c116U,
    0x1e376c08U, 0x2748774cU, 0x34b0bcb5U, 0x391c0cb3U, 0x4ed8aa4aU, 0x5b9cca4fU, 0x682e6ff3U,
    0x748f82eeU, 0x78a5636fU, 0x84c87814U, 0x8cc70208U, 0x90befffaU, 0xa4506cebU, 0xbef9a3f7U,
    0xc67178f2U};

static uint32_t rotr(uint32_t x, int n)
{
    return (x >> n) | (x << (32 - n));
}

static uint32_t load_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

static void compress(uint32_t state[8], const uint8_t *block)
{
    uint32_t w[ROUNDS];
    uint32_t v[8]; /* a..h */
    for (int t = 0; t < 16; t++) {
        w[t] = load_be32(block + 4 * (ptrdiff_t)t);
    }
    for (int t = 16; t < ROUNDS; t++) {
        const uint32_t s0 = rotr(w[t - 15], 7) ^ rotr(w[t - 15], 18) ^ (w[t - 15] >> 3);
        const uint32_t s1 = rotr(w[t - 2], 17) ^ rotr(w[t - 2], 19) ^ (w[t - 2] >> 10);
        w[t] = s1 + w[t - 7] + s0 + w[t - 16];
    }
    memcpy(v, state, sizeof v);
    for (int t = 0; t < ROUNDS; t++) {
        const uint32_t sum1 = rotr(v[4], 6) ^ rotr(v[4], 11) ^ rotr(v[4], 25);
        const uint32_t ch = (v[4] & v[5]) ^ (~v[4] & v[6]);
        const uint32_t t1 = v[7] + sum1 + ch + k[t] + w[t];
        const uint32_t sum0 = rotr(v[0], 2) ^ rotr(v[0], 13) ^ rotr(v[0], 22);
        const uint32_t maj = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        v[7] = v[6];
        v[6] = v[5];
        v[5] = v[4];
        v[4] = v[3] + t1;
        v[3] = v[2];
        v[2] = v[1];
        v[1] = v[0];
        v[0] = t1 + sum0 + maj;
    }
    for (int i = 0; i < 8; i++) {
        state[i] += v[i];
    }
}

void mdf_sha256_start(mdf_sha256 *s)
{
    /* Fractions of the square roots of the first 8 primes. */
    *s = (mdf_sha256){.state = {0x6a09e667U, 0xbb67ae85U, 0x3c6ef372U, 0xa54ff53aU, 0x510e527fU,
                                0x9b05688cU, 0x1f83d9abU, 0x5be0cd19U}};
}

void mdf_sha256_add(mdf_sha256 *s, const void *data, size_t len)
{
    const uint8_t *p = data;
    const size_t held = (size_t)(s->bytes % BLOCK);
    if (len == 0) {
        return;
    }
    s->bytes += len;
    if (held != 0) {
        const size_t room = BLOCK - held;
        const size_t n = len < room ? len : room;
        memcpy(s->block + held, p, n);
        if (n < room) {
            return;
        }
        compress(s->state, s->block);
        p += n;
        len -= n;
    }
    for (; len >= BLOCK; len -= BLOCK, p += BLOCK) {
        compress(s->state, p);
    }
    memcpy(s->block, p, len);
}

void mdf_sha256_hex(const mdf_sha256 *s, char hex[MDF_SHA256_HEX + 1])
{
    static const char digit[] = "0123456789abcdef";
    mdf_sha256 end = *s;
    const size_t held = (size_t)(s->bytes % BLOCK);
    /* One bit, zeros up to 8 bytes before the end of a block, the length in bits. */
    uint8_t pad[2 * BLOCK] = {0x80};
    const size_t zeros = held < BLOCK - 8 ? BLOCK - 8 - held : 2 * BLOCK - 8 - held;
    for (size_t i = 0; i < 8; i++) {
        pad[zeros + i] = (uint8_t)((s->bytes * 8) >> (56 - 8 * i));
    }
    mdf_sha256_add(&end, pad, zeros + 8);
    for (size_t i = 0; i < MDF_SHA256_HEX; i++) {
        const uint32_t word = end.state[i / 8];
        hex[i] = digit[(word >> (28 - 4 * (i % 8))) & 15U];
    }
    hex[MDF_SHA256_HEX] = '\0';
}
