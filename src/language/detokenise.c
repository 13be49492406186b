/* Tokens to text as they come. */
#include "language/detokenise.h"

#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"

enum { LONGEST = 4 }; /* bytes of a character */

mdf_detokeniser mdf_detokeniser_new(const mdf_tokenizer *t)
{
    return (mdf_detokeniser){t, mdf_strbuf_new(MDF_MAX_CHAT_BYTES),
                             mdf_strbuf_new(MDF_MAX_TOKEN_BYTES + LONGEST)};
}

void mdf_detokeniser_free(mdf_detokeniser *d)
{
    mdf_strbuf_free(&d->text);
    mdf_strbuf_free(&d->held);
}

void mdf_detokeniser_clear(mdf_detokeniser *d)
{
    mdf_strbuf_clear(&d->text);
    mdf_strbuf_clear(&d->held);
}

/* Moves held bytes to the text; at the end all of them. */
static mdf_status move(mdf_detokeniser *d, bool end, mdf_error *err)
{
    const uint8_t *at = (const uint8_t *)d->held.data;
    size_t left = d->held.len;
    while (left > 0) {
        const size_t good = mdf_utf8_check(at, left);
        mdf_strbuf_add(&d->text, at, good);
        at += good;
        left -= good;
        const size_t bad = left > 0 ? mdf_utf8_bad_len(at, left) : 0;
        if (bad == left && !end) {
            break; /* the rest may still come */
        }
        mdf_strbuf_puts(&d->text, bad > 0 ? "\xEF\xBF\xBD" : "");
        at += bad;
        left -= bad;
    }
    char rest[LONGEST];
    memcpy(rest, at == NULL ? (const uint8_t *)"" : at, left);
    mdf_strbuf_clear(&d->held);
    mdf_strbuf_add(&d->held, rest, left);
    return d->text.failed || d->held.failed
               ? mdf_fail(err, MDF_ERR_LIMIT, "the answer is longer than the limit of %zu bytes",
                          d->text.max_bytes)
               : MDF_OK;
}

mdf_status mdf_detokenise(mdf_detokeniser *d, int32_t token, mdf_error *err)
{
    if (!mdf_tokenizer_has(d->tokenizer, token)) {
        return MDF_OK;
    }
    MDF_TRY(mdf_tokenizer_decode(d->tokenizer, &token, 1, false, &d->held, err));
    return move(d, false, err);
}

mdf_status mdf_detokenise_end(mdf_detokeniser *d, mdf_error *err)
{
    return move(d, true, err);
}
