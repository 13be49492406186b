/* Are these bytes text? */
#include "io/text.h"

#include <string.h>

#include "base/utf8.h"

size_t mdf_text_mark(const uint8_t *data, size_t len)
{
    return len >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

/* A byte order mark, or the zero byte beside an ASCII letter that every table begins with. */
static bool is_utf16(const uint8_t *data, size_t len)
{
    if (len < 2) {
        return false;
    }
    const bool marked =
        (data[0] == 0xFF && data[1] == 0xFE) || (data[0] == 0xFE && data[1] == 0xFF);
    const bool plain = (data[0] == 0) != (data[1] == 0) && data[0] < 0x80 && data[1] < 0x80;
    return marked || plain;
}

mdf_status mdf_text_check(const char *name, const uint8_t *data, size_t len, mdf_error *err)
{
    const size_t utf8_end = mdf_utf8_check(data, len);
    const uint8_t *nul = len == 0 ? NULL : memchr(data, 0, len);
    const bool nul_first = nul != NULL && (size_t)(nul - data) < utf8_end;
    const size_t bad = nul_first ? (size_t)(nul - data) : utf8_end;
    if (bad == len) {
        return MDF_OK;
    }
    if (bad < 2 && is_utf16(data, len)) {
        return mdf_fail_at(err, MDF_ERR_FORMAT, bad, "%s: the text is UTF-16; save it as UTF-8",
                           name);
    }
    size_t line = 1;
    for (size_t i = 0; i < bad; i++) {
        line += data[i] == '\n' ? 1 : 0;
    }
    return mdf_fail_at(err, MDF_ERR_FORMAT, bad, "%s line %zu: %s", name, line,
                       nul_first ? "a zero byte stands in the text"
                                 : "the text is not UTF-8 (Latin-1 or another old encoding?); save "
                                   "it as UTF-8");
}
