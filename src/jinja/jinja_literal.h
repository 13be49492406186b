/* Numbers and strings as a template spells them. */
#ifndef MDF_JINJA_LITERAL_H
#define MDF_JINJA_LITERAL_H

#include "jinja/jinja_lex.h"

/* The number that s begins with (a digit); *used its bytes. after_dot: no fraction is read, as in
 * the attribute of "a.1.2". */
mdf_status mdf_jinja_number(mdf_jtoken *out, const char *s, size_t len, bool after_dot,
                            size_t *used, mdf_error *err) MDF_NODISCARD;

/* The string that s begins with (its opening quote); its text goes to the arena where it has
 * escapes. */
mdf_status mdf_jinja_string(mdf_jtoken *out, mdf_arena *a, const char *s, size_t len, size_t *used,
                            mdf_error *err) MDF_NODISCARD;

/* A decimal float in s, all of it, whatever the locale's point is; false: it is none. */
bool mdf_jinja_real(const char *s, size_t len, double *out);

#endif
