/* Conversations written to a file, and read from it. */
#include "engine/session_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/model_identity.h"
#include "engine/session.h"

enum { SPARE_TOKENS = 1024 }; /* room of a restored decoder behind what it knows */

/* A file that is being put together; everything but the keys lies in the arena. */
typedef struct writer {
    const mdf_session *s;
    mdf_decoder_memory known;
    mdf_st_entry *entry; /* [entries] */
    size_t entries, room;
    mdf_st_pair *pair; /* [pairs] */
    size_t pairs;
    mdf_arena arena;
} writer;

static mdf_status no_memory(mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for saving the session");
}

static bool put(writer *w, const char *name, mdf_dtype type, int rank, const int64_t *dim,
                const void *data)
{
    char *copy = mdf_arena_strndup(&w->arena, name, strlen(name));
    if (copy == NULL || data == NULL || w->entries == w->room) {
        return false;
    }
    mdf_st_entry *e = &w->entry[w->entries++];
    *e = (mdf_st_entry){.name = copy, .dtype = type, .rank = rank, .data = data};
    memcpy(e->dim, dim, (size_t)rank * sizeof *dim);
    return true;
}

/* value must outlive the writer. */
static void tell(writer *w, const char *key, const char *value)
{
    w->pair[w->pairs++] = (mdf_st_pair){key, value};
}

/* Keys and values lie there head by head: nothing is copied. */
static bool put_rows(writer *w, const char *what, int layer, const mdf_kv_rows *r, int64_t rows)
{
    const mdf_kv_cache *c = w->known.cache;
    const int64_t dim[2] = {rows, c->head_dim};
    bool ok = true;
    for (int64_t head = 0; ok && rows > 0 && head < c->kv_heads; head++) {
        const size_t at = (size_t)(head * r->capacity) * mdf_kv_row_bytes(c);
        char name[MDF_SAVED_NAME];
        mdf_saved_name(name, what, layer, head, false);
        ok = put(w, name, c->type, 2, dim, (const uint8_t *)r->k + at);
        mdf_saved_name(name, what, layer, head, true);
        ok = ok && put(w, name, c->type, 2, dim, (const uint8_t *)r->v + at);
    }
    return ok;
}

static float *as_floats(writer *w, const mdf_real *x, size_t n)
{
    float *out = mdf_arena_alloc(&w->arena, n, sizeof *out);
    for (size_t i = 0; out != NULL && i < n; i++) {
        out[i] = (float)x[i];
    }
    return out;
}

static bool put_pictures(writer *w)
{
    const mdf_image_tokens *im = w->known.image;
    if (im->count == 0) {
        return true;
    }
    const int64_t photos = im->of_case->pictures;
    int64_t *of_case = mdf_arena_alloc(&w->arena, 2, sizeof *of_case);
    int64_t *picture = mdf_arena_alloc(&w->arena, (size_t)photos, 2 * sizeof *picture);
    if (of_case == NULL || picture == NULL) {
        return false;
    }
    of_case[0] = im->of_case->main;
    of_case[1] = im->of_case->spare;
    for (int64_t i = 0; i < photos; i++) {
        picture[2 * i] = im->picture[i].first;
        picture[2 * i + 1] = im->picture[i].count;
    }
    return put(w, "image.case", MDF_DTYPE_I64, 1, (int64_t[]){2}, of_case) &&
           put(w, "image.picture", MDF_DTYPE_I64, 2, (int64_t[]){photos, 2}, picture) &&
           put(w, "image.bias", MDF_DTYPE_F32, 1, &im->count,
               as_floats(w, im->bias, (size_t)im->count));
}

static bool put_all(writer *w)
{
    const mdf_kv_cache *c = w->known.cache;
    const mdf_conversation *chat = &w->s->chat;
    const mdf_config *config = &w->s->engine->model->config;
    const int64_t tokens = (int64_t)chat->tokens;
    bool ok = put(w, "token", MDF_DTYPE_I32, 1, &tokens, chat->token) && put_pictures(w);
    for (int i = 0; ok && i < c->layers; i++) {
        const bool cross = mdf_config_is_cross_layer(config, i);
        ok = put_rows(w, "layer", i, &c->layer[i], cross ? c->layer[i].rows : tokens);
    }
    for (int i = 0; ok && i < c->branches; i++) {
        ok = put_rows(w, "branch", i, &c->branch[i], c->branch[i].rows);
    }
    if (ok && c->branches > 0 && c->film_known[0]) {
        const int64_t dim[2] = {c->branches, c->film_width};
        ok =
            put(w, "film", MDF_DTYPE_F32, 2, dim, as_floats(w, c->film, (size_t)(dim[0] * dim[1])));
    }
    return ok;
}

/* The folder's own name. */
static char *folder_name(writer *w, const char *dir)
{
    size_t end = strlen(dir);
    while (end > 1 && dir[end - 1] == '/') {
        end--;
    }
    size_t begin = end;
    while (begin > 0 && dir[begin - 1] != '/') {
        begin--;
    }
    return mdf_arena_strndup(&w->arena, dir + begin, end - begin);
}

static char *format(writer *w, const char *how, size_t n)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%s%zu", how, n);
    return mdf_arena_strndup(&w->arena, text, strlen(text));
}

static bool tell_all(writer *w, const char *identity)
{
    const mdf_conversation *chat = &w->s->chat;
    bool ok = true;
    tell(w, "mdf.session", MDF_SAVED_FORMAT);
    tell(w, "mdf.version", MDF_VERSION);
    tell(w, "kv_type", mdf_dtype_name(w->known.cache->type));
    tell(w, "model", identity);
    tell(w, "model_name", folder_name(w, w->s->engine->dir));
    tell(w, "fused", w->known.fused ? "1" : "0");
    tell(w, "turns", format(w, "", chat->turns));
    if (chat->system != NULL) {
        tell(w, "system", chat->system);
    }
    for (size_t i = 0; i < chat->turns; i++) {
        tell(w, format(w, "turn.", i), chat->turn[i]);
    }
    for (size_t i = 0; ok && i < w->pairs; i++) {
        ok = w->pair[i].key != NULL && w->pair[i].value != NULL;
    }
    return ok;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const mdf_st_entry *)a)->name, ((const mdf_st_entry *)b)->name);
}

static void sum_up(writer *w, char hex[MDF_SHA256_HEX + 1])
{
    mdf_sha256 sum;
    mdf_sha256_start(&sum);
    for (size_t i = 0; i < w->pairs; i++) {
        mdf_saved_add_pair(&sum, &w->pair[i]);
    }
    qsort(w->entry, w->entries, sizeof *w->entry, by_name);
    for (size_t i = 0; i < w->entries; i++) {
        const mdf_st_entry *e = &w->entry[i];
        const size_t bytes = (size_t)(e->rank == 2 ? e->dim[0] : 1) *
                             mdf_dtype_row_bytes(e->dtype, (size_t)e->dim[e->rank - 1]);
        mdf_saved_add(&sum, e->name, e->dtype, e->rank, e->dim, e->data, bytes);
    }
    mdf_sha256_hex(&sum, hex);
    tell(w, MDF_SAVED_SUM, hex);
}

static mdf_status write_file(writer *w, const char *path, mdf_error *err)
{
    const mdf_engine *e = w->s->engine;
    const mdf_kv_cache *c = w->known.cache;
    char identity[MDF_SHA256_HEX + 1];
    char sum[MDF_SHA256_HEX + 1];
    w->room = 5 + 2 * (size_t)((c->layers + c->branches) * c->kv_heads);
    w->entry = mdf_arena_alloc(&w->arena, w->room, sizeof *w->entry);
    w->pair = mdf_arena_alloc(&w->arena, 10 + w->s->chat.turns, sizeof *w->pair);
    if (w->entry == NULL || w->pair == NULL) {
        return no_memory(err);
    }
    MDF_TRY(mdf_model_identity(identity, e->dir, e->lora, e->chat_file, err));
    if (!tell_all(w, identity) || !put_all(w)) {
        return no_memory(err);
    }
    sum_up(w, sum);
    return mdf_safetensors_save(path, w->entry, w->entries, w->pair, w->pairs, err);
}

static mdf_status check_form(const mdf_session *s, mdf_error *err)
{
    return s->engine->chat != NULL
               ? MDF_OK
               : mdf_fail(err, MDF_ERR_ARG,
                          "the model has no chat template, and so no form of a conversation that "
                          "could be saved or resumed");
}

mdf_status mdf_session_save(mdf_session *s, const char *path, mdf_error *err)
{
    writer w = {.s = s};
    MDF_TRY(check_form(s, err));
    if (s->chat.turns == 0) {
        return mdf_fail(err, MDF_ERR_ARG, "there is no conversation to save");
    }
    w.known = mdf_decoder_remembers(s->decoder);
    MDF_TRY(mdf_arena_init(&w.arena, 0, 0, err));
    const mdf_status status = write_file(&w, path, err);
    mdf_arena_free(&w.arena);
    return status;
}

static const char *or_unknown(const char *text)
{
    return text == NULL ? "unknown" : text;
}

/* Model and type of the keys are those of the session. */
static mdf_status check_model(const mdf_session *s, const mdf_safetensors *st, mdf_error *err)
{
    const mdf_engine *e = s->engine;
    char identity[MDF_SHA256_HEX + 1];
    MDF_TRY(mdf_model_identity(identity, e->dir, e->lora, e->chat_file, err));
    const char *saved = or_unknown(mdf_safetensors_metadata(st, "model"));
    if (strcmp(saved, identity) != 0) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "%s: belongs to another model (%.60s, %.12s), not to this one (%s, %.12s)",
                        st->path, or_unknown(mdf_safetensors_metadata(st, "model_name")), saved,
                        e->dir, identity);
    }
    const char *type = or_unknown(mdf_safetensors_metadata(st, "kv_type"));
    if (strcmp(type, mdf_dtype_name(e->kv_type)) != 0) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "%s: its keys and values are kept as %.12s, not as %s: --kv-type must be "
                        "that of the session",
                        st->path, type, mdf_dtype_name(e->kv_type));
    }
    return MDF_OK;
}

/* The words and tokens of a checked file. */
static mdf_status take_words(mdf_conversation *chat, const mdf_saved *saved,
                             const mdf_safetensors *st, mdf_error *err)
{
    chat->photos = saved->photos;
    MDF_TRY(mdf_conversation_set_system(chat, mdf_saved_system(st), err));
    for (size_t i = 0; i < saved->turns; i++) {
        const char *text = mdf_saved_turn(st, i);
        MDF_TRY(mdf_conversation_say(chat, text, strlen(text), err));
    }
    int32_t *token = mdf_alloc((size_t)saved->tokens, sizeof *token);
    if (token == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for a conversation");
    }
    mdf_saved_tokens(saved, st, token);
    const mdf_status status = mdf_conversation_read(chat, 0, token, (size_t)saved->tokens, err);
    mdf_free(token);
    return status;
}

static mdf_status restore(mdf_session *s, const mdf_safetensors *st, mdf_decoder **decoder,
                          mdf_conversation *chat, mdf_error *err)
{
    mdf_saved saved;
    MDF_TRY(mdf_saved_check_sum(st, err));
    MDF_TRY(check_model(s, st, err));
    MDF_TRY(mdf_saved_check(&saved, st, &s->engine->model->config, s->engine->kv_type, err));
    MDF_TRY(take_words(chat, &saved, st, err));
    const int64_t capacity = saved.tokens + SPARE_TOKENS;
    MDF_TRY(mdf_session_has_memory(s, capacity, saved.main + saved.spare, err));
    MDF_TRY(
        mdf_decoder_new(decoder, s->engine->model, s->kernels, capacity, s->engine->kv_type, err));
    return mdf_saved_restore(&saved, st, *decoder, err);
}

/* Whatever is wrong with the bytes, the file is damaged. */
static mdf_status parse(mdf_safetensors *st, const mdf_map *map, const char *path, mdf_error *err)
{
    mdf_error own = {0};
    const mdf_status status = mdf_safetensors_parse(st, map->data, map->len, path, &own);
    if (status == MDF_OK || status == MDF_ERR_NOMEM) {
        return status == MDF_OK ? MDF_OK : mdf_fail(err, status, "%s", own.text);
    }
    const size_t prefix = strlen(path) + 2;
    return mdf_fail(err, status, "%s: damaged, or no session of mdf: %s", path,
                    strlen(own.text) > prefix ? own.text + prefix : own.text);
}

mdf_status mdf_session_load(mdf_session *s, const char *path, mdf_error *err)
{
    mdf_map map = {0};
    mdf_safetensors st;
    mdf_decoder *decoder = NULL;
    mdf_conversation chat = {0};
    MDF_TRY(check_form(s, err));
    MDF_TRY(mdf_map_open(&map, path, err));
    mdf_status status = parse(&st, &map, path, err);
    if (status == MDF_OK) {
        status = restore(s, &st, &decoder, &chat, err);
        mdf_safetensors_close(&st);
    }
    mdf_map_close(&map);
    if (status != MDF_OK) {
        mdf_decoder_free(decoder);
        mdf_conversation_free(&chat);
        return status;
    }
    mdf_decoder_free(s->decoder);
    mdf_conversation_free(&s->chat);
    s->decoder = decoder;
    s->chat = chat;
    s->kept = false;
    return MDF_OK;
}
