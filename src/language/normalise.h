/* Unicode's normal forms, which some tokenizers bring a text to before they cut it. */
#ifndef MDF_LANGUAGE_NORMALISE_H
#define MDF_LANGUAGE_NORMALISE_H

#include "base/arena.h"
#include "base/status.h"
#include "language/tokenizer_spec.h"

/* "NFC" and its like; false: no normal form has this name. */
bool mdf_normal_form_from_name(const char *name, mdf_normal_form *form);

/* What one form after another makes of a text is one form again: the last one's composition, and
 * compatibility if any of them has it. */
mdf_normal_form mdf_normal_form_then(mdf_normal_form first, mdf_normal_form second);

/* No text of n bytes has more bytes than n times this in the form. */
size_t mdf_normal_form_growth(mdf_normal_form form);

/* *text [*n], valid UTF-8, in the form: the text itself where that changes nothing that is ASCII,
 * else memory of the arena. MDF_ERR_LIMIT for more than MDF_MAX_MARKS combining marks in a row. */
mdf_status mdf_normalise(mdf_normal_form form, const uint8_t **text, size_t *n, mdf_arena *arena,
                         mdf_error *err) MDF_NODISCARD;

#endif
