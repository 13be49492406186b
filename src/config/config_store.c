/* One value of the configuration: checked against its row of the schema and stored. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "config/config_schema.h"

static void *at(mdf_config *c, size_t offset)
{
    return (char *)c + offset;
}

/* Prints a JSON value so that it fits into a sentence. */
static const char *shown(const json_t *v, char *buffer, size_t size)
{
    switch (json_typeof(v)) {
    case JSON_STRING:
        (void)snprintf(buffer, size, "\"%.60s\"", json_string_value(v));
        return buffer;
    case JSON_INTEGER:
        (void)snprintf(buffer, size, "%lld", (long long)json_integer_value(v));
        return buffer;
    case JSON_REAL:
        (void)snprintf(buffer, size, "%.10g", json_real_value(v));
        return buffer;
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    case JSON_NULL:
        return "null";
    case JSON_ARRAY:
        return "a list";
    case JSON_OBJECT:
    default:
        return "an object";
    }
}

static mdf_status fail_type(const char *path, const char *wanted, const json_t *v, mdf_error *err)
{
    char value[80];
    return mdf_fail(err, MDF_ERR_FORMAT, "%s must be %s, not %s", path, wanted,
                    shown(v, value, sizeof value));
}

static mdf_status fail_range(const mdf_config_key *k, const char *path, const json_t *v,
                             mdf_error *err)
{
    char value[80];
    return mdf_fail(err, MDF_ERR_ARG, "%s = %s is out of range: it must be between %.15g and %.15g",
                    path, shown(v, value, sizeof value), k->min, k->max);
}

static mdf_status integer(const mdf_config_key *k, const char *path, const json_t *v, int64_t *out,
                          mdf_error *err)
{
    if (!json_is_integer(v)) {
        return fail_type(path, "a whole number", v, err);
    }
    const json_int_t n = json_integer_value(v);
    if (n < (json_int_t)k->min || n > (json_int_t)k->max) {
        return fail_range(k, path, v, err);
    }
    *out = n;
    return MDF_OK;
}

static mdf_status store_real(const mdf_config_key *k, const char *path, const json_t *v,
                             double *out, mdf_error *err)
{
    if (!json_is_number(v)) {
        return fail_type(path, "a number", v, err);
    }
    const double x = json_number_value(v);
    if (!(x >= k->min && x <= k->max)) { /* NaN fails too */
        return fail_range(k, path, v, err);
    }
    *out = x + 0.0; /* -0 becomes 0 */
    return MDF_OK;
}

/* The place of a word among the row's choices. */
static mdf_status choose(const mdf_config_key *k, const char *path, const json_t *v, int *out,
                         mdf_error *err)
{
    if (!json_is_string(v)) {
        return fail_type(path, "a word in quotes", v, err);
    }
    char all[160] = "";
    size_t used = 0;
    for (int i = 0; k->choice[i] != NULL; i++) {
        if (strcmp(k->choice[i], json_string_value(v)) == 0) {
            *out = i;
            return MDF_OK;
        }
        const int n =
            snprintf(all + used, sizeof all - used, "%s\"%s\"", i > 0 ? ", " : "", k->choice[i]);
        used += n > 0 ? (size_t)n : 0;
        used = used < sizeof all ? used : sizeof all - 1;
    }
    return mdf_fail(err, MDF_ERR_ARG, "%s = \"%.60s\" is not known: it must be %s%s", path,
                    json_string_value(v), k->choice[1] != NULL ? "one of " : "", all);
}

/* Words of a user: not empty, no control characters (jansson has proved UTF-8 and no NUL). */
static mdf_status text(const char *path, const json_t *v, size_t max_bytes, char *out,
                       mdf_error *err)
{
    if (!json_is_string(v)) {
        return fail_type(path, "a text in quotes", v, err);
    }
    const char *s = json_string_value(v);
    const size_t n = json_string_length(v);
    if (n == 0) {
        return mdf_fail(err, MDF_ERR_ARG, "%s is empty", path);
    }
    if (n > max_bytes) {
        return mdf_fail(err, MDF_ERR_LIMIT, "%s has %zu bytes, more than the limit of %zu", path, n,
                        max_bytes);
    }
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f) {
            return mdf_fail(err, MDF_ERR_ARG, "%s holds a control character", path);
        }
    }
    memset(out, 0, max_bytes + 1);
    memcpy(out, s, n);
    return MDF_OK;
}

static mdf_status store_ints(mdf_config *c, const mdf_config_key *k, const char *path,
                             const json_t *v, mdf_error *err)
{
    int item[MDF_MAX_LAYERS] = {0}; /* no list of whole numbers is longer */
    const size_t n = json_array_size(v);
    for (size_t i = 0; i < n; i++) {
        int64_t x = 0;
        MDF_TRY(integer(k, path, json_array_get(v, i), &x, err));
        item[i] = (int)x;
    }
    memcpy(at(c, k->offset), item, sizeof(int) * (size_t)k->capacity);
    return MDF_OK;
}

/* As text: which keys it has, and what for, is seen when the stage is made (config_stages.c). */
static mdf_status store_stages(mdf_config *c, const mdf_config_key *k, const char *path,
                               const json_t *v, mdf_error *err)
{
    memset(at(c, k->offset), 0, (size_t)k->capacity * MDF_STAGE_BYTES);
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *stage = json_array_get(v, i);
        char *out = (char *)at(c, k->offset) + i * MDF_STAGE_BYTES;
        if (!json_is_object(stage)) {
            return fail_type(path, "a list of objects {...}", stage, err);
        }
        if (json_dumpb(stage, out, MDF_STAGE_BYTES, JSON_COMPACT | JSON_REAL_PRECISION(15)) >=
            MDF_STAGE_BYTES) {
            return mdf_fail(err, MDF_ERR_LIMIT, "%s[%zu] is longer than the limit of %d bytes",
                            path, i, MDF_STAGE_BYTES - 1);
        }
    }
    return MDF_OK;
}

/* In place, as store_labels(): capacities are too large for the stack. */
static mdf_status store_reals(mdf_config *c, const mdf_config_key *k, const char *path,
                              const json_t *v, mdf_error *err)
{
    double *item = at(c, k->offset);
    const size_t n = json_array_size(v);
    memset(item, 0, sizeof *item * (size_t)k->capacity);
    for (size_t i = 0; i < n; i++) {
        MDF_TRY(store_real(k, path, json_array_get(v, i), &item[i], err));
    }
    return MDF_OK;
}

static mdf_status store_pairs(mdf_config *c, const mdf_config_key *k, const char *path,
                              const json_t *v, mdf_error *err)
{
    mdf_map_entry pair[MDF_MAX_LEVEL_MAP] = {{0, 0}};
    const size_t n = json_array_size(v);
    for (size_t i = 0; i < n; i++) {
        const json_t *p = json_array_get(v, i);
        if (json_array_size(p) != 2) { /* 0 for what is not a list */
            return fail_type(path, "a list of [layer, level] pairs", v, err);
        }
        int64_t layer = 0;
        int64_t level = 0;
        MDF_TRY(integer(k, path, json_array_get(p, 0), &layer, err));
        MDF_TRY(integer(k, path, json_array_get(p, 1), &level, err));
        pair[i] = (mdf_map_entry){(int)layer, (int)level};
    }
    memcpy(at(c, k->offset), pair, sizeof *pair * (size_t)k->capacity);
    return MDF_OK;
}

/* In place: a failure may leave some labels changed, so callers work on a copy of the struct. */
static mdf_status store_labels(mdf_config *c, const mdf_config_key *k, const char *path,
                               const json_t *v, mdf_error *err)
{
    char(*label)[MDF_MAX_LABEL_BYTES + 1] = at(c, k->offset);
    memset(label, 0, sizeof *label * (size_t)k->capacity);
    const size_t n = json_array_size(v);
    for (size_t i = 0; i < n; i++) {
        char where[MDF_CONFIG_PATH + 16];
        (void)snprintf(where, sizeof where, "%s[%zu]", path, i);
        MDF_TRY(text(where, json_array_get(v, i), MDF_MAX_LABEL_BYTES, label[i], err));
    }
    return MDF_OK;
}

/* Words of the row's choices. */
static mdf_status store_words(mdf_config *c, const mdf_config_key *k, const char *path,
                              const json_t *v, mdf_error *err)
{
    int item[MDF_MAX_FOCUS] = {0};
    _Static_assert((int)MDF_MAX_MASKS <= (int)MDF_MAX_FOCUS, "item holds both lists of words");
    const size_t n = json_array_size(v);
    for (size_t i = 0; i < n; i++) {
        char where[MDF_CONFIG_PATH + 16];
        (void)snprintf(where, sizeof where, "%s[%zu]", path, i);
        MDF_TRY(choose(k, where, json_array_get(v, i), &item[i], err));
        for (size_t j = 0; j < i && !k->repeats; j++) {
            if (item[j] == item[i]) {
                return mdf_fail(err, MDF_ERR_ARG, "%s has \"%s\" twice", path, k->choice[item[i]]);
            }
        }
    }
    memcpy(at(c, k->offset), item, sizeof(int) * (size_t)k->capacity);
    return MDF_OK;
}

/* mask_channels: 1 is the vessels, 2 the lesions too. */
static mdf_status store_old(mdf_config *c, const mdf_config_key *k, const char *path,
                            const json_t *v, mdf_error *err)
{
    static const mdf_mask_name then[MDF_MAX_MASKS] = {MDF_MASK_VESSEL, MDF_MASK_LESION};
    int64_t n = 0;
    MDF_TRY(integer(k, path, v, &n, err));
    memset(c->unet.masks, 0, sizeof c->unet.masks);
    memcpy(c->unet.masks, then, (size_t)n * sizeof then[0]);
    c->unet.mask_channels = (int)n;
    return MDF_OK;
}

static mdf_status store_list(mdf_config *c, const mdf_config_key *k, const char *path,
                             const json_t *v, mdf_error *err)
{
    if (!json_is_array(v)) {
        return fail_type(path, "a list", v, err);
    }
    const size_t n = json_array_size(v);
    if (n > (size_t)k->capacity) {
        return mdf_fail(err, MDF_ERR_LIMIT, "%s has %zu items, more than the limit of %d", path, n,
                        k->capacity);
    }
    if (k->kind == MDF_KEY_INTS) {
        MDF_TRY(store_ints(c, k, path, v, err));
    } else if (k->kind == MDF_KEY_REALS) {
        MDF_TRY(store_reals(c, k, path, v, err));
    } else if (k->kind == MDF_KEY_PAIRS) {
        MDF_TRY(store_pairs(c, k, path, v, err));
    } else if (k->kind == MDF_KEY_STAGES) {
        MDF_TRY(store_stages(c, k, path, v, err));
    } else if (k->kind == MDF_KEY_WORDS) {
        MDF_TRY(store_words(c, k, path, v, err));
    } else {
        MDF_TRY(store_labels(c, k, path, v, err));
    }
    *(int *)at(c, k->count_offset) = (int)n;
    return MDF_OK;
}

static mdf_status store_choice(mdf_config *c, const mdf_config_key *k, const char *path,
                               const json_t *v, mdf_error *err)
{
    int word = 0;
    MDF_TRY(choose(k, path, v, &word, err));
    if (k->capacity == 1) { /* two words for a bool */
        *(bool *)at(c, k->offset) = word == 1;
    } else {
        *(int *)at(c, k->offset) = word; /* the enums count from 0 in the order of the words */
    }
    return MDF_OK;
}

static mdf_status store_scalar(mdf_config *c, const mdf_config_key *k, const char *path,
                               const json_t *v, mdf_error *err)
{
    int64_t n = 0;
    if (k->kind == MDF_KEY_BOOL) {
        if (!json_is_boolean(v)) {
            return fail_type(path, "true or false", v, err);
        }
        *(bool *)at(c, k->offset) = json_is_true(v);
        return MDF_OK;
    }
    MDF_TRY(integer(k, path, v, &n, err));
    *(int *)at(c, k->offset) = (int)n;
    return MDF_OK;
}

mdf_status mdf_config_store(mdf_config *c, const mdf_config_key *k, const struct json_t *value,
                            mdf_error *err)
{
    char path[MDF_CONFIG_PATH];
    int word = 0;
    mdf_config_key_path(k, path);
    switch (k->kind) {
    case MDF_KEY_INT:
    case MDF_KEY_BOOL:
        return store_scalar(c, k, path, value, err);
    case MDF_KEY_REAL:
        return store_real(k, path, value, at(c, k->offset), err);
    case MDF_KEY_CHOICE:
        return store_choice(c, k, path, value, err);
    case MDF_KEY_TEXT:
        return text(path, value, (size_t)k->capacity - 1, at(c, k->offset), err);
    case MDF_KEY_INTS:
        if (json_is_integer(value)) { /* one number is a list of one */
            int64_t n = 0;
            MDF_TRY(integer(k, path, value, &n, err));
            ((int *)at(c, k->offset))[0] = (int)n;
            *(int *)at(c, k->count_offset) = 1;
            return MDF_OK;
        }
        return store_list(c, k, path, value, err);
    case MDF_KEY_REALS:
    case MDF_KEY_PAIRS:
    case MDF_KEY_LABELS:
    case MDF_KEY_STAGES:
    case MDF_KEY_WORDS:
        return store_list(c, k, path, value, err);
    case MDF_KEY_FIXED:
        return choose(k, path, value, &word, err);
    case MDF_KEY_OLD:
        return store_old(c, k, path, value, err);
    case MDF_KEY_DERIVED: /* checked when everything is known */
    case MDF_KEY_IGNORED:
    default:
        return MDF_OK;
    }
}
