/* The texts of a data set as something else than they are, to see what a model makes of it. */
#ifndef MDF_DATA_RETEXT_H
#define MDF_DATA_RETEXT_H

#include "data/manifest.h"

typedef enum mdf_text_as {
    MDF_TEXT_GIVEN,
    MDF_TEXT_NONE,    /* every text is missing */
    MDF_TEXT_DROP,    /* without the sentences that a pattern matches */
    MDF_TEXT_SHUFFLED /* every case has the text of another patient's */
} mdf_text_as;

typedef struct mdf_retext {
    mdf_text_as as;
    const char *pattern; /* of DROP: a regular expression of PCRE2, whatever the capitals */
    uint64_t seed;       /* of SHUFFLED */
} mdf_retext;

/* What became of the texts. */
typedef struct mdf_retexted {
    size_t cases, changed;               /* all, and those whose text is another now */
    size_t sentences, sentences_dropped; /* of DROP */
} mdf_retexted;

/* "given", "none", "drop:PATTERN" or "shuffled". The pattern is borrowed from word. MDF_ERR_ARG:
 * something else, or an empty pattern. */
mdf_status mdf_retext_parse(mdf_retext *out, const char *word, mdf_error *err) MDF_NODISCARD;

/* "given", "none", "drop", "shuffled" */
const char *mdf_retext_name(mdf_text_as as);

/* Changes the texts of all cases of m, whose new ones live in its arena. MDF_ERR_ARG: the pattern
 * is no regular expression, or matches no sentence; one patient has more than half of the cases,
 * so that no exchange gives all of them another's text. MDF_ERR_LIMIT: the pattern takes too many
 * steps. m is unchanged then. */
mdf_status mdf_retext_apply(mdf_manifest *m, const mdf_retext *how, mdf_retexted *out,
                            mdf_error *err) MDF_NODISCARD;

#endif
