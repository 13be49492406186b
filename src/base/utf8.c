/* UTF-8 checks for text that comes from outside. */
#include "base/utf8.h"

#include <string.h>

/* Bytes of the sequence that starts with lead, and the range its second byte must lie in (Unicode
 * 15, table 3-7); 0 for a byte that can't start one. */
static size_t sequence(uint8_t lead, uint8_t *low, uint8_t *high)
{
    *low = 0x80;
    *high = 0xBF;
    if (lead < 0x80) {
        return 1;
    }
    if (lead >= 0xC2 && lead <= 0xDF) {
        return 2;
    }
    if (lead >= 0xE0 && lead <= 0xEF) {
        *low = lead == 0xE0 ? 0xA0 : 0x80;
        *high = lead == 0xED ? 0x9F : 0xBF;
        return 3;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        *low = lead == 0xF0 ? 0x90 : 0x80;
        *high = lead == 0xF4 ? 0x8F : 0xBF;
        return 4;
    }
    return 0;
}

size_t mdf_utf8_check(const uint8_t *data, size_t len)
{
    size_t i = 0;
    while (i < len) {
        uint64_t eight = 0;
        if (data[i] < 0x80) { /* most texts are ASCII for the most part */
            while (len - i >= sizeof eight) {
                memcpy(&eight, data + i, sizeof eight);
                if ((eight & 0x8080808080808080u) != 0) {
                    break;
                }
                i += sizeof eight;
            }
            while (i < len && data[i] < 0x80) {
                i++;
            }
            continue;
        }
        uint8_t low = 0;
        uint8_t high = 0;
        const size_t n = sequence(data[i], &low, &high);
        if (n == 0 || n > len - i) {
            return i;
        }
        for (size_t k = 1; k < n; k++) {
            const uint8_t c = data[i + k];
            if (c < (k == 1 ? low : 0x80) || c > (k == 1 ? high : 0xBF)) {
                return i;
            }
        }
        i += n;
    }
    return len;
}

size_t mdf_utf8_bad_len(const uint8_t *data, size_t len)
{
    uint8_t low = 0;
    uint8_t high = 0;
    const size_t n = sequence(data[0], &low, &high);
    size_t k = 1;
    while (k < n && k < len) {
        if (data[k] < (k == 1 ? low : 0x80) || data[k] > (k == 1 ? high : 0xBF)) {
            break;
        }
        k++;
    }
    return k;
}
