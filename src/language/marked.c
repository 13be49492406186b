/* A text in which the special tokens are marked. */
#include "language/marked.h"

#include <string.h>

typedef struct token_span {
    int32_t *id; /* [capacity] */
    size_t capacity;
} token_span;

typedef struct mark {
    size_t at, len;
} mark;

mdf_marked mdf_marked_new(size_t max_bytes)
{
    return (mdf_marked){mdf_strbuf_new(max_bytes), mdf_strbuf_new(max_bytes * sizeof(mark))};
}

void mdf_marked_special(mdf_marked *m, const char *name)
{
    const mark where = {m->text.len, strlen(name)};
    mdf_strbuf_add(&m->marks, &where, sizeof where);
    mdf_strbuf_puts(&m->text, name);
}

void mdf_marked_text(mdf_marked *m, const char *text, size_t len)
{
    mdf_strbuf_add(&m->text, text, len);
}

void mdf_marked_free(mdf_marked *m)
{
    mdf_strbuf_free(&m->text);
    mdf_strbuf_free(&m->marks);
}

static mdf_status put_special(const mdf_marked *m, mark where, const mdf_tokenizer *t, int32_t *id,
                              mdf_error *err)
{
    char name[64] = {0};
    memcpy(name, m->text.data + where.at, where.len < sizeof name ? where.len : sizeof name - 1);
    *id = mdf_tokenizer_special(t, name);
    return *id >= 0 ? MDF_OK
                    : mdf_fail(err, MDF_ERR_FORMAT, "the tokenizer has no token \"%s\"", name);
}

static mdf_status encode(const mdf_marked *m, const mdf_tokenizer *t, token_span out, size_t *count,
                         mdf_error *err)
{
    const size_t marks = m->marks.len / sizeof(mark);
    size_t done = 0;
    for (size_t i = 0; i <= marks; i++) {
        mark where = {m->text.len, 0};
        size_t n = 0;
        if (i < marks) {
            memcpy(&where, m->marks.data + i * sizeof where, sizeof where);
        }
        if (where.at > done) {
            MDF_TRY(mdf_tokenizer_encode(t, m->text.data + done, where.at - done, MDF_ENCODE_PLAIN,
                                         out.id + *count, out.capacity - *count, &n, err));
            *count += n;
        }
        if (i < marks) {
            if (*count == out.capacity) {
                return mdf_fail(err, MDF_ERR_LIMIT, "the text has more than %zu tokens",
                                out.capacity);
            }
            MDF_TRY(put_special(m, where, t, &out.id[*count], err));
            ++*count;
        }
        done = where.at + where.len;
    }
    return MDF_OK;
}

mdf_status mdf_marked_encode(const mdf_marked *m, const mdf_tokenizer *t, int32_t *id,
                             size_t capacity, size_t *count, mdf_error *err)
{
    *count = 0;
    if (m->text.failed || m->marks.failed) {
        return mdf_fail(err, MDF_ERR_LIMIT,
                        "the text is longer than the limit of %zu bytes, or "
                        "out of memory",
                        m->text.max_bytes);
    }
    size_t n = 0;
    const mdf_status status = encode(m, t, (token_span){id, capacity}, &n, err);
    *count = status == MDF_OK ? n : 0;
    return status;
}
