/* Any bytes as a tokenizer.json: no crash; what is accepted encodes texts (the file's own bytes, as
 * text and as users' text) without ever making a special token of a user's text, and every id can
 * be shown again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "language/tokenizer.h"
#include "language/tokenizer_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT = 400 };

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_text(const mdf_tokenizer *t, const mdf_tokenizer_spec *s, const char *text,
                       size_t len, int how)
{
    const size_t most = mdf_tokenizer_most(t, len) + 8;
    int32_t *id = mdf_alloc(most, sizeof *id);
    size_t count = 0;
    mdf_strbuf out = mdf_strbuf_new((size_t)MDF_MAX_TOKEN_BYTES * most);
    check(id != NULL);
    const mdf_status status = mdf_tokenizer_encode(t, text, len, how, id, most, &count, NULL);
    if (status != MDF_OK) {
        check(count == 0 && status == MDF_ERR_LIMIT); /* a pattern may take too many steps */
        mdf_free(id);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        check(id[i] >= 0 && id[i] < mdf_tokenizer_size(t));
        for (size_t j = 0; how == MDF_ENCODE_PLAIN && j < s->added_count; j++) {
            check(!s->added[j].special || s->added[j].id != id[i]);
        }
    }
    check(mdf_tokenizer_decode(t, id, count, true, &out, NULL) == MDF_OK || out.failed);
    mdf_strbuf_free(&out);
    mdf_free(id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdf_tokenizer_spec s;
    mdf_tokenizer *t = NULL;
    if (mdf_tokenizer_json_parse(&s, data, size, NULL) != MDF_OK) {
        check(s.token == NULL && s.merge == NULL && s.added_count == 0);
        return 0;
    }
    if (mdf_tokenizer_new(&t, &s, -1, NULL) == MDF_OK) {
        const size_t len = size < TEXT ? size : TEXT;
        check_text(t, &s, (const char *)data, len, MDF_ENCODE_PLAIN);
        check_text(t, &s, (const char *)data, len, MDF_ENCODE_SPECIALS | MDF_ENCODE_TEMPLATE);
        check_text(t, &s, "ab  b<|eot_id|> 12\r\n a\xff", 23, MDF_ENCODE_SPECIALS);
    }
    mdf_tokenizer_free(t);
    mdf_tokenizer_spec_free(&s);
    return 0;
}
