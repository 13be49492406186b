/* strftime_now: the moment of the options, in English whatever the locale says. */
#include <stdio.h>
#include <string.h>

#include "jinja/jinja_builtin.h"

static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};

/* What the day of the month and the month and year say of the other fields. */
static void complete(struct tm *t)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    static const int shift[] = {0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4};
    const int year = t->tm_year + 1900;
    const int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    const int y = year - (t->tm_mon < 2 ? 1 : 0);
    t->tm_yday = before[t->tm_mon] + t->tm_mday - 1 + (leap && t->tm_mon > 1 ? 1 : 0);
    t->tm_wday = (y + y / 4 - y / 100 + y / 400 + shift[t->tm_mon] + t->tm_mday) % 7;
}

/* The number of a directive, and how it is padded; false: it is none of a number. */
static bool number_of(const struct tm *t, char c, int *value, int *width, char *pad)
{
    *width = 2;
    *pad = '0';
    switch (c) {
    case 'd':
    case 'e':
        *value = t->tm_mday;
        *pad = c == 'e' ? ' ' : '0';
        return true;
    case 'H':
    case 'k':
        *value = t->tm_hour;
        *pad = c == 'k' ? ' ' : '0';
        return true;
    case 'I':
    case 'l':
        *value = t->tm_hour % 12 == 0 ? 12 : t->tm_hour % 12;
        *pad = c == 'l' ? ' ' : '0';
        return true;
    case 'j':
        *value = t->tm_yday + 1;
        *width = 3;
        return true;
    case 'm':
        *value = t->tm_mon + 1;
        return true;
    case 'M':
        *value = t->tm_min;
        return true;
    case 'S':
        *value = t->tm_sec;
        return true;
    case 'y':
        *value = t->tm_year % 100;
        return true;
    case 'Y':
        *value = t->tm_year + 1900;
        *width = 4;
        return true;
    case 'u':
    case 'w':
        *value = c == 'u' && t->tm_wday == 0 ? 7 : t->tm_wday;
        *width = 1;
        return true;
    default:
        return false;
    }
}

static void put_number(mdf_strbuf *b, int value, int width, char pad)
{
    char digits[16];
    const int n = snprintf(digits, sizeof digits, "%d", value);
    for (int i = n; i < width; i++) {
        mdf_strbuf_add(b, &pad, pad == '-' ? 0 : 1);
    }
    mdf_strbuf_puts(b, digits);
}

/* What stands for other directives; NULL: not known. */
static const char *longer(char c)
{
    return c == 'D'   ? "%m/%d/%y"
           : c == 'F' ? "%Y-%m-%d"
           : c == 'R' ? "%H:%M"
           : c == 'T' ? "%H:%M:%S"
           : c == 'c' ? "%a %b %e %H:%M:%S %Y"
           : c == 'x' ? "%m/%d/%y"
           : c == 'X' ? "%H:%M:%S"
           : c == 'r' ? "%I:%M:%S %p"
                      : NULL;
}

static bool put_word(mdf_strbuf *b, const struct tm *t, char c)
{
    switch (c) {
    case 'a':
        mdf_strbuf_add(b, days[t->tm_wday], 3);
        return true;
    case 'A':
        mdf_strbuf_puts(b, days[t->tm_wday]);
        return true;
    case 'b':
    case 'h':
        mdf_strbuf_add(b, months[t->tm_mon], 3);
        return true;
    case 'B':
        mdf_strbuf_puts(b, months[t->tm_mon]);
        return true;
    case 'p':
        mdf_strbuf_puts(b, t->tm_hour < 12 ? "AM" : "PM");
        return true;
    case 'f':
        mdf_strbuf_puts(b, "000000"); /* the moment is one of whole seconds */
        return true;
    case 'z':
    case 'Z':
        return true; /* it has no time zone */
    case 'n':
    case 't':
    case '%':
        mdf_strbuf_puts(b, c == 'n' ? "\n" : c == 't' ? "\t" : "%");
        return true;
    default:
        return false;
    }
}

static mdf_status format(mdf_jvm *m, const struct tm *t, const char *s, size_t len, mdf_strbuf *b)
{
    for (size_t i = 0; i < len; i++) {
        if (s[i] != '%') {
            mdf_strbuf_add(b, &s[i], 1);
            continue;
        }
        const bool bare = i + 2 < len && s[i + 1] == '-';
        i += bare ? 2 : 1;
        const char c = i < len ? s[i] : '\0';
        const char *more = longer(c);
        int value = 0;
        int width = 0;
        char pad = '0';
        if (more != NULL) {
            MDF_TRY(format(m, t, more, strlen(more), b)); /* one level: these hold no such */
        } else if (number_of(t, c, &value, &width, &pad)) {
            put_number(b, value, width, bare ? '-' : pad);
        } else if (!put_word(b, t, c)) {
            return mdf_fail(m->err, MDF_ERR_FORMAT, "strftime_now: \"%%%c\" is not known",
                            c == '\0' ? ' ' : c);
        }
    }
    return MDF_OK;
}

mdf_status mdf_jinja_strftime(mdf_jvm *m, const mdf_jval *v, const mdf_jval *arg, mdf_jval *out)
{
    struct tm now = {.tm_mday = 1, .tm_year = 70};
    (void)v;
    MDF_TRY(mdf_jarg_text(m, &arg[0]));
    if (m->now != NULL) {
        now = *m->now;
    } else {
        const time_t seconds = time(NULL);
        (void)localtime_r(&seconds, &now);
    }
    complete(&now);
    mdf_strbuf b = mdf_jvm_buffer();
    const mdf_status status = format(m, &now, arg[0].u.text, arg[0].len, &b);
    if (status != MDF_OK) {
        mdf_strbuf_free(&b);
        return status;
    }
    return mdf_jvm_finish(m, &b, out);
}
