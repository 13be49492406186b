/* A conversation's file read: the sum, the checks, and what is in it put into a decoder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/session_file.h"

/* Below it a sum of image tokens can't overflow, and no photographs have more. */
enum { MOST_IMAGE_TOKENS = 1 << 24 };

void mdf_saved_name(char name[MDF_SAVED_NAME], const char *what, int layer, int64_t head,
                    bool value)
{
    (void)snprintf(name, MDF_SAVED_NAME, "%s.%d.head.%lld.%c", what, layer, (long long)head,
                   value ? 'v' : 'k');
}

static void add_number(mdf_sha256 *sum, uint64_t n)
{
    for (int i = 0; i < 8; i++) {
        const uint8_t byte = (uint8_t)(n >> (8 * i));
        mdf_sha256_add(sum, &byte, 1);
    }
}

static void add_text(mdf_sha256 *sum, const char *text)
{
    mdf_sha256_add(sum, text, strlen(text) + 1);
}

void mdf_saved_add(mdf_sha256 *sum, const char *name, mdf_dtype type, int rank, const int64_t *dim,
                   const void *data, size_t bytes)
{
    add_text(sum, name);
    add_text(sum, mdf_dtype_name(type));
    add_number(sum, (uint64_t)rank);
    for (int i = 0; i < rank; i++) {
        add_number(sum, (uint64_t)dim[i]);
    }
    add_number(sum, bytes);
    mdf_sha256_add(sum, data, bytes);
}

void mdf_saved_add_pair(mdf_sha256 *sum, const mdf_st_pair *pair)
{
    static const char types[] = "mdf.dtype.";
    if (strcmp(pair->key, MDF_SAVED_SUM) != 0 && strncmp(pair->key, types, sizeof types - 1) != 0) {
        add_text(sum, pair->key);
        add_text(sum, pair->value);
    }
}

mdf_status mdf_saved_check_sum(const mdf_safetensors *st, mdf_error *err)
{
    const char *format = mdf_safetensors_metadata(st, "mdf.session");
    const char *wanted = mdf_safetensors_metadata(st, MDF_SAVED_SUM);
    char hex[MDF_SHA256_HEX + 1];
    mdf_sha256 sum;
    if (format == NULL) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: it is no session of mdf", st->path);
    }
    if (strcmp(format, MDF_SAVED_FORMAT) != 0) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s: a session of format %.20s; this mdf reads format " MDF_SAVED_FORMAT,
                        st->path, format);
    }
    mdf_sha256_start(&sum);
    for (size_t i = 0; i < st->metadata_count; i++) {
        mdf_saved_add_pair(&sum, &st->metadata[i]);
    }
    for (size_t i = 0; i < st->count; i++) {
        const mdf_st_tensor *t = &st->tensor[i];
        mdf_saved_add(&sum, t->name, t->dtype, t->rank, t->dim, t->data, t->bytes);
    }
    mdf_sha256_hex(&sum, hex);
    return wanted != NULL && strcmp(wanted, hex) == 0
               ? MDF_OK
               : mdf_fail(err, MDF_ERR_FORMAT,
                          "%s: damaged: its bytes are not those that were written (their SHA-256 "
                          "is another one)",
                          st->path);
}

/* A file that is being checked against a model. */
typedef struct checker {
    const mdf_safetensors *st;
    const mdf_config *c;
    mdf_dtype kv_type;
    mdf_saved *s;
    size_t known; /* tensors that belong there */
    mdf_error *err;
} checker;

static mdf_status refuse(const checker *x, const char *what)
{
    return mdf_fail(x->err, MDF_ERR_FORMAT, "%s: damaged: %s", x->st->path, what);
}

/* A tensor of this name, type and shape. */
static mdf_status need(checker *x, const char *name, mdf_dtype type, int rank, const int64_t *dim,
                       const mdf_st_tensor **out)
{
    MDF_TRY(mdf_safetensors_get(x->st, name, rank, dim, out, x->err));
    if ((*out)->dtype != type) {
        return mdf_fail(x->err, MDF_ERR_FORMAT, "%s: tensor \"%.60s\" has type %s, not %s",
                        x->st->path, name, mdf_dtype_name((*out)->dtype), mdf_dtype_name(type));
    }
    x->known++;
    return MDF_OK;
}

static void read_numbers(const mdf_st_tensor *t, int64_t *out)
{
    (void)!mdf_dtype_to_int64(t->dtype, t->data, t->count, out);
}

/* Numbers of an I32 or I64 tensor are read one by one: a file may have many. */
static int64_t number_at(const mdf_st_tensor *t, size_t i)
{
    int64_t n = 0;
    (void)!mdf_dtype_to_int64(t->dtype, t->data + i * mdf_dtype_bytes(t->dtype), 1, &n);
    return n;
}

static mdf_status check_tokens(checker *x)
{
    const mdf_st_tensor *t = mdf_safetensors_find(x->st, "token");
    const int64_t most = x->c->text.max_position_embeddings;
    if (t == NULL || t->rank != 1 || t->dim[0] < 1 || t->dim[0] > most) {
        return refuse(x, "its tokens are missing, or more than the model can remember");
    }
    MDF_TRY(need(x, "token", MDF_DTYPE_I32, 1, t->dim, &t));
    for (size_t i = 0; i < t->count; i++) {
        const int64_t id = number_at(t, i);
        if (id < 0 || id >= mdf_config_embedding_rows(x->c)) {
            return refuse(x, "a token that the model does not have");
        }
    }
    x->s->tokens = t->dim[0];
    return MDF_OK;
}

/* Photographs' tokens follow one another and fill what is used. */
static mdf_status check_pictures(checker *x)
{
    mdf_saved *s = x->s;
    int64_t of_case[2];
    int64_t at[2 * MDF_MAX_PHOTOS];
    int64_t first = 0;
    const mdf_st_tensor *t = mdf_safetensors_find(x->st, "image.picture");
    if (t == NULL) {
        return MDF_OK;
    }
    if (t->rank != 2 || t->dim[0] < 1 || t->dim[0] > MDF_MAX_PHOTOS ||
        !mdf_config_has_vision(x->c)) {
        return refuse(x, "it has photographs that the model does not take");
    }
    s->photos = (int)t->dim[0];
    MDF_TRY(need(x, "image.picture", MDF_DTYPE_I64, 2, (int64_t[]){s->photos, 2}, &t));
    read_numbers(t, at);
    MDF_TRY(need(x, "image.case", MDF_DTYPE_I64, 1, (int64_t[]){2}, &t));
    read_numbers(t, of_case);
    for (int i = 0; i < s->photos; i++) {
        const int64_t count = at[2 * i + 1];
        if (at[2 * i] != first || count < 1 || count > MOST_IMAGE_TOKENS) {
            return refuse(x, "its photographs' tokens do not follow one another");
        }
        s->picture[i] = (mdf_picture){.first = first, .count = count};
        first += count;
    }
    if (of_case[0] != first || of_case[1] < 0 || of_case[1] > MOST_IMAGE_TOKENS) {
        return refuse(x, "its photographs' tokens are not as many as it says");
    }
    s->main = of_case[0];
    s->spare = of_case[1];
    return need(x, "image.bias", MDF_DTYPE_F32, 1, (int64_t[]){s->main + s->spare}, &t);
}

static mdf_status check_rows(checker *x, const char *what, int layer, int64_t rows)
{
    const int64_t head_dim = x->c->text.hidden_size / x->c->text.num_attention_heads;
    for (int64_t head = 0; rows > 0 && head < x->c->text.num_key_value_heads; head++) {
        for (int value = 0; value < 2; value++) {
            char name[MDF_SAVED_NAME];
            const mdf_st_tensor *t = NULL;
            mdf_saved_name(name, what, layer, head, value == 1);
            MDF_TRY(need(x, name, x->kv_type, 2, (int64_t[]){rows, head_dim}, &t));
        }
    }
    return MDF_OK;
}

static int64_t patches_of(const mdf_config *c)
{
    return (int64_t)c->fusion.grid * c->fusion.grid;
}

/* Rows of a layer, of a fusion branch. */
static int64_t layer_rows(const mdf_saved *s, const mdf_config *c, int layer)
{
    const bool joined =
        s->fused && c->fusion.attend == MDF_FUSION_CONCAT && mdf_config_fuses_at(c, layer);
    if (!mdf_config_is_cross_layer(c, layer)) {
        return s->tokens;
    }
    return s->photos == 0 ? 0 : s->main + s->spare + (joined ? patches_of(c) : 0);
}

static int64_t branch_rows(const mdf_saved *s, const mdf_config *c)
{
    return s->fused && c->fusion.attend == MDF_FUSION_BRANCH ? patches_of(c) : 0;
}

static bool has_film(const mdf_saved *s, const mdf_config *c)
{
    return s->fused && c->fusion.map_count > 0 && c->fusion.film_direction == MDF_FILM_UNET_TO_TEXT;
}

static mdf_status check_keys(checker *x)
{
    const mdf_config *c = x->c;
    const char *fused = mdf_safetensors_metadata(x->st, "fused");
    const mdf_st_tensor *t = NULL;
    x->s->fused = fused != NULL && strcmp(fused, "1") == 0;
    if (x->s->fused && (x->s->photos == 0 || !mdf_config_has_unet(c))) {
        return refuse(x, "it has a photograph for a U-Net that is not there");
    }
    for (int i = 0; i < c->text.num_hidden_layers; i++) {
        MDF_TRY(check_rows(x, "layer", i, layer_rows(x->s, c, i)));
    }
    for (int i = 0; i < c->fusion.map_count; i++) {
        MDF_TRY(check_rows(x, "branch", i, branch_rows(x->s, c)));
    }
    if (has_film(x->s, c)) {
        const int64_t dim[2] = {c->fusion.map_count, 2 * (int64_t)c->text.hidden_size};
        MDF_TRY(need(x, "film", MDF_DTYPE_F32, 2, dim, &t));
    }
    return x->known == x->st->count ? MDF_OK : refuse(x, "it has tensors of something else");
}

const char *mdf_saved_turn(const mdf_safetensors *st, size_t i)
{
    char key[32];
    (void)snprintf(key, sizeof key, "turn.%zu", i);
    return mdf_safetensors_metadata(st, key);
}

const char *mdf_saved_system(const mdf_safetensors *st)
{
    return mdf_safetensors_metadata(st, "system");
}

/* Turns of user and assistant, none left out. */
static mdf_status check_turns(checker *x)
{
    const char *text = mdf_safetensors_metadata(x->st, "turns");
    char *end = NULL;
    const unsigned long n = text == NULL ? 0 : strtoul(text, &end, 10);
    if (n < 2 || n % 2 != 0 || *end != '\0' || n > x->st->metadata_count) {
        return refuse(x, "its turns are missing");
    }
    for (size_t i = 0; i < n; i++) {
        if (mdf_saved_turn(x->st, i) == NULL) {
            return refuse(x, "one of its turns is missing");
        }
    }
    x->s->turns = n;
    return MDF_OK;
}

mdf_status mdf_saved_check(mdf_saved *out, const mdf_safetensors *st, const mdf_config *c,
                           mdf_dtype kv_type, mdf_error *err)
{
    *out = (mdf_saved){0};
    checker x = {.st = st, .c = c, .kv_type = kv_type, .s = out, .err = err};
    MDF_TRY(check_turns(&x));
    MDF_TRY(check_tokens(&x));
    MDF_TRY(check_pictures(&x));
    return check_keys(&x);
}

void mdf_saved_tokens(const mdf_saved *s, const mdf_safetensors *st, int32_t *token)
{
    const mdf_st_tensor *t = mdf_safetensors_find(st, "token");
    for (int64_t i = 0; i < s->tokens; i++) {
        token[i] = (int32_t)number_at(t, (size_t)i);
    }
}

static mdf_status fill_rows(const mdf_safetensors *st, const mdf_kv_cache *c, mdf_kv_rows *r,
                            const char *what, int layer, int64_t rows, mdf_error *err)
{
    const size_t bytes = mdf_kv_row_bytes(c);
    if (!mdf_kv_rows_reserve(c, r, rows)) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for %lld keys", (long long)rows);
    }
    for (int64_t head = 0; rows > 0 && head < c->kv_heads; head++) {
        for (int value = 0; value < 2; value++) {
            char name[MDF_SAVED_NAME];
            mdf_saved_name(name, what, layer, head, value == 1);
            const mdf_st_tensor *t = mdf_safetensors_find(st, name);
            uint8_t *to = (uint8_t *)(value == 1 ? r->v : r->k);
            memcpy(to + (size_t)(head * r->capacity) * bytes, t->data, t->bytes);
        }
    }
    r->rows = rows;
    return MDF_OK;
}

static void read_floats(const mdf_st_tensor *t, mdf_real *out)
{
    for (size_t i = 0; i < t->count; i++) {
        float x = 0;
        (void)!mdf_dtype_to_floats(MDF_DTYPE_F32, t->data + i * sizeof x, 1, &x);
        out[i] = x;
    }
}

static mdf_status restore_pictures(const mdf_saved *s, const mdf_safetensors *st, mdf_decoder *d,
                                   mdf_error *err)
{
    if (s->photos == 0) {
        return mdf_decoder_remember(d, &(mdf_image_tokens){0}, false, err);
    }
    const mdf_st_tensor *t = mdf_safetensors_find(st, "image.bias");
    mdf_real *bias = mdf_alloc(t->count, sizeof *bias);
    if (bias == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a session's pictures");
    }
    read_floats(t, bias);
    const mdf_case_tokens of_case = {.main = s->main, .spare = s->spare, .pictures = s->photos};
    const mdf_image_tokens image = {
        .count = s->main + s->spare, .bias = bias, .of_case = &of_case, .picture = s->picture};
    const mdf_status status = mdf_decoder_remember(d, &image, s->fused, err);
    mdf_free(bias);
    return status;
}

mdf_status mdf_saved_restore(const mdf_saved *s, const mdf_safetensors *st, mdf_decoder *d,
                             mdf_error *err)
{
    const mdf_config *c = &mdf_decoder_model(d)->config;
    mdf_kv_cache *cache = mdf_decoder_remembers(d).cache;
    MDF_TRY(restore_pictures(s, st, d, err));
    for (int i = 0; i < cache->layers; i++) {
        MDF_TRY(fill_rows(st, cache, &cache->layer[i], "layer", i, layer_rows(s, c, i), err));
    }
    for (int i = 0; i < cache->branches; i++) {
        MDF_TRY(fill_rows(st, cache, &cache->branch[i], "branch", i, branch_rows(s, c), err));
        cache->film_known[i] = has_film(s, c);
    }
    if (has_film(s, c)) {
        read_floats(mdf_safetensors_find(st, "film"), cache->film);
    }
    cache->used = s->tokens;
    return MDF_OK;
}
