/* Characters as Python's str knows them, on UTF-8: counting, cutting, white space, case. */
#include "jinja/jinja_text.h"

#include <string.h>

uint32_t mdf_jtext_decode(const char *s, size_t len, size_t *bytes)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t *u = (const uint8_t *)s;
    *bytes = 1;
    if (u[0] < 0x80) {
        return u[0];
    }
    const size_t n = u[0] >= 0xF0 ? 4 : u[0] >= 0xE0 ? 3 : 2;
    if (u[0] < 0xC2 || u[0] > 0xF4 || len < n) {
        return UINT32_MAX;
    }
    uint32_t c = u[0] & (0x7FU >> n);
    for (size_t i = 1; i < n; i++) {
        if ((u[i] & 0xC0) != 0x80) {
            return UINT32_MAX;
        }
        c = c << 6 | (u[i] & 0x3F);
    }
    if (c < least[n] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) {
        return UINT32_MAX;
    }
    *bytes = n;
    return c;
}

size_t mdf_jtext_encode(char out[4], uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    const size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint32_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (c & 0x3F));
        c >>= 6;
    }
    out[0] = (char)(lead[n] | c);
    return n;
}

static bool continues(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

size_t mdf_jtext_count(const char *s, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++) {
        count += continues(s[i]) ? 0 : 1;
    }
    return count;
}

size_t mdf_jtext_offset(const char *s, size_t len, size_t index)
{
    size_t at = 0;
    while (at < len && index > 0) {
        at++;
        while (at < len && continues(s[at])) {
            at++;
        }
        index--;
    }
    return at;
}

size_t mdf_jtext_last(const char *s, size_t len)
{
    size_t n = 1;
    while (n < len && n < 4 && continues(s[len - n])) {
        n++;
    }
    return n;
}

static bool within(const uint32_t (*range)[2], size_t count, uint32_t c)
{
    for (size_t i = 0; i < count; i++) {
        if (c >= range[i][0] && c <= range[i][1]) {
            return true;
        }
    }
    return false;
}

static bool is_white(uint32_t c)
{
    static const uint32_t range[][2] = {
        {0x9, 0xD},       {0x1C, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680},
        {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};
    return within(range, sizeof range / sizeof range[0], c);
}

size_t mdf_jtext_white_at(const char *s, size_t len)
{
    size_t n = 0;
    return len > 0 && is_white(mdf_jtext_decode(s, len, &n)) ? n : 0;
}

size_t mdf_jtext_white_before(const char *s, size_t len)
{
    if (len == 0) {
        return 0;
    }
    const size_t n = mdf_jtext_last(s, len);
    return mdf_jtext_white_at(s + len - n, n) == n ? n : 0;
}

size_t mdf_jtext_break_at(const char *s, size_t len)
{
    if (len == 0) {
        return 0;
    }
    if (len > 1 && s[0] == '\r' && s[1] == '\n') {
        return 2;
    }
    static const uint32_t range[][2] = {{0xA, 0xD}, {0x1C, 0x1E}, {0x85, 0x85}, {0x2028, 0x2029}};
    size_t n = 0;
    const uint32_t c = mdf_jtext_decode(s, len, &n);
    return within(range, sizeof range / sizeof range[0], c) ? n : 0;
}

/* Small letters from `from` to `to` whose capitals lie `down` below. */
typedef struct case_range {
    uint16_t from, to, down;
} case_range;

static const case_range blocks[] = {
    {'a', 'z', 32},     {0xE0, 0xF6, 32},     {0xF8, 0xFE, 32},   {0x3AD, 0x3AF, 37},
    {0x3B1, 0x3C1, 32}, {0x3C3, 0x3CB, 32},   {0x430, 0x44F, 32}, {0x450, 0x45F, 80},
    {0x561, 0x586, 48}, {0xFF41, 0xFF5A, 32}, {0x3AC, 0x3AC, 38}, {0x3CC, 0x3CC, 64},
    {0x3CD, 0x3CE, 63}, {0x1E01, 0x1E01, 1},
};

/* Where capital and small letter alternate: the capital is even, or odd. */
static const struct {
    uint16_t from, to;
    uint8_t odd;
} pairs[] = {{0x100, 0x12F, 0}, {0x132, 0x137, 0},   {0x139, 0x148, 1},  {0x14A, 0x177, 0},
             {0x179, 0x17E, 1}, {0x460, 0x481, 0},   {0x48A, 0x4BF, 0},  {0x4C1, 0x4CE, 1},
             {0x4D0, 0x52F, 0}, {0x1E00, 0x1E95, 0}, {0x1EA0, 0x1EFF, 0}};

static int pair_parity(uint32_t c)
{
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (c >= pairs[i].from && c <= pairs[i].to) {
            return pairs[i].odd;
        }
    }
    return -1;
}

uint32_t mdf_jtext_upper(uint32_t c)
{
    const int odd = pair_parity(c);
    if (odd >= 0) {
        return (int)(c & 1) == odd ? c : c - 1;
    }
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        if (c >= blocks[i].from && c <= blocks[i].to) {
            return c - blocks[i].down;
        }
    }
    return c == 0xFF ? 0x178 : c == 0xB5 ? 0x39C : c == 0x3C2 ? 0x3A3 : c == 0x131 ? 'I' : c;
}

uint32_t mdf_jtext_lower(uint32_t c)
{
    const int odd = pair_parity(c);
    if (odd >= 0) {
        return (int)(c & 1) == odd ? c + 1 : c;
    }
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        const uint32_t down = blocks[i].down;
        if (c + down >= blocks[i].from && c + down <= blocks[i].to) {
            return c + down;
        }
    }
    return c == 0x178 ? 0xFF : c;
}

bool mdf_jtext_printable(uint32_t c)
{
    static const uint32_t range[][2] = {
        {0, 0x1F},          {0x7F, 0xA0},     {0xAD, 0xAD},       {0x600, 0x605},
        {0x61C, 0x61C},     {0x6DD, 0x6DD},   {0x70F, 0x70F},     {0x1680, 0x1680},
        {0x180E, 0x180E},   {0x2000, 0x200F}, {0x2028, 0x202F},   {0x205F, 0x206F},
        {0x3000, 0x3000},   {0xE000, 0xF8FF}, {0xFDD0, 0xFDEF},   {0xFEFF, 0xFEFF},
        {0xFFF0, 0xFFFB},   {0xFFFE, 0xFFFF}, {0x1D173, 0x1D17A}, {0xE0000, 0xE00FF},
        {0xE01F0, 0x10FFFF}};
    return !within(range, sizeof range / sizeof range[0], c);
}

size_t mdf_jtext_find(const char *s, size_t len, const char *needle, size_t needle_len)
{
    if (needle_len == 0) {
        return 0;
    }
    size_t at = 0;
    while (needle_len <= len - at) {
        const char *p = memchr(s + at, needle[0], len - at - needle_len + 1);
        if (p == NULL) {
            break;
        }
        at = (size_t)(p - s);
        if (memcmp(p, needle, needle_len) == 0) {
            return at;
        }
        at++;
    }
    return len + 1;
}

size_t mdf_jtext_find_last(const char *s, size_t len, const char *needle, size_t needle_len)
{
    if (needle_len > len) {
        return len + 1;
    }
    for (size_t at = len - needle_len + 1; at > 0; at--) {
        if (memcmp(s + at - 1, needle, needle_len) == 0) {
            return at - 1;
        }
    }
    return len + 1;
}
