/* Errors as values: a code, a place and a sentence. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *mdf_status_text(mdf_status status)
{
    static const char *const texts[] = {
#define MDF_STATUS_STRING(name, text) text,
        MDF_STATUS_MAP(MDF_STATUS_STRING)
#undef MDF_STATUS_STRING
    };
    const size_t count = sizeof texts / sizeof texts[0];
    return (size_t)status < count ? texts[status] : "unknown status";
}

/* Names of files, labels and keys come from outside: what they hold must not break the line or
 * reach the terminal as a command. */
static void make_printable(char *text)
{
    for (unsigned char c = 0; (c = (unsigned char)*text) != '\0'; text++) {
        if (c < 0x20 || c == 0x7F) {
            *text = '?';
        }
    }
}

MDF_PRINTF(4, 0)
static mdf_status fill(mdf_error *err, mdf_status code, size_t offset, const char *fmt, va_list ap)
{
    if (err != NULL) {
        err->code = code;
        err->offset = offset;
        (void)vsnprintf(err->text, sizeof err->text, fmt, ap);
        make_printable(err->text);
    }
    return code;
}

mdf_status mdf_fail(mdf_error *err, mdf_status code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)fill(err, code, 0, fmt, ap);
    va_end(ap);
    return code;
}

mdf_status mdf_fail_at(mdf_error *err, mdf_status code, size_t offset, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)fill(err, code, offset, fmt, ap);
    va_end(ap);
    return code;
}

mdf_status mdf_fail_prefix(mdf_error *err, mdf_status code, const char *prefix)
{
    if (err == NULL) {
        return code;
    }
    char text[sizeof err->text];
    memcpy(text, err->text, sizeof text);
    text[sizeof text - 1] = '\0';
    const size_t room = sizeof err->text - 1;
    size_t used = strlen(prefix);
    used = used > room / 2 ? room / 2 : used; /* at least half stays for the sentence itself */
    memcpy(err->text, prefix, used);
    if (room > used + 2) {
        (void)snprintf(err->text + used, sizeof err->text - used, ": %.*s", (int)(room - used - 2),
                       text);
    }
    make_printable(err->text);
    return err->code;
}
