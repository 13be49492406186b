/* "key=value" of the command line: finds the key that is meant, reads the value, stores it. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "config/config_schema.h"

static bool settable(const mdf_config_key *k)
{
    return k->kind != MDF_KEY_FIXED && k->kind != MDF_KEY_DERIVED;
}

static bool ends_with(const char *path, const char *key)
{
    const size_t n = strlen(path);
    const size_t m = strlen(key);
    return m > 0 && (strcmp(path, key) == 0 ||
                     (n > m && path[n - m - 1] == '.' && strcmp(path + n - m, key) == 0));
}

/* "train_config.augment.rotate" -> "train.augment.rotate" */
static void without_config(const char *path, char out[MDF_CONFIG_PATH])
{
    const char *suffix = strstr(path, "_config.");
    const size_t before = suffix == NULL ? 0 : (size_t)(suffix - path);
    const int n = snprintf(out, MDF_CONFIG_PATH, "%.*s%s", (int)before, path,
                           suffix == NULL ? path : suffix + strlen("_config"));
    if (n < 0 || n >= MDF_CONFIG_PATH) {
        out[0] = '\0';
    }
}

static mdf_status fail_unknown(const char *key, mdf_error *err)
{
    const char *dot = strrchr(key, '.');
    const char *near = mdf_config_nearest(NULL, dot == NULL ? key : dot + 1);
    if (near == NULL) {
        return mdf_fail(err, MDF_ERR_ARG, "%.100s is not a known key", key);
    }
    return mdf_fail(err, MDF_ERR_ARG, "%.100s is not a known key; did you mean \"%s\"?", key, near);
}

static mdf_status find_key(const char *key, const mdf_config_key **out, mdf_error *err)
{
    char path[MDF_CONFIG_PATH];
    char first[MDF_CONFIG_PATH] = "";
    const mdf_config_key *found = NULL;
    const mdf_config_key *fixed = NULL;
    for (size_t i = 0; i < mdf_config_key_count; i++) {
        const mdf_config_key *k = &mdf_config_keys[i];
        char brief[MDF_CONFIG_PATH];
        mdf_config_key_path(k, path);
        without_config(path, brief);
        if (k->kind == MDF_KEY_IGNORED || !(ends_with(path, key) || ends_with(brief, key))) {
            continue;
        }
        if (!settable(k)) {
            fixed = k;
            continue;
        }
        if (strcmp(path, key) == 0 || strcmp(brief, key) == 0) {
            *out = k;
            return MDF_OK;
        }
        if (found != NULL) {
            return mdf_fail(err, MDF_ERR_ARG, "%s is ambiguous: write %s or %s", key, first, path);
        }
        found = k;
        memcpy(first, path, sizeof first);
    }
    if (found == NULL && fixed != NULL) {
        return mdf_fail(err, MDF_ERR_ARG, "%s %s", key,
                        fixed->kind == MDF_KEY_FIXED ? "can't be changed"
                                                     : "follows from other settings");
    }
    if (found == NULL) {
        return fail_unknown(key, err);
    }
    *out = found;
    return MDF_OK;
}

/* "a, b,c" -> ["a", "b", "c"]; blanks around the names are dropped. */
static json_t *split_labels(const char *value)
{
    json_t *list = json_array();
    for (const char *p = value; list != NULL && *value != '\0'; p++) {
        const size_t len = strcspn(p, ",");
        const char *end = p + len;
        const char *last = end;
        while (p < last && *p == ' ') {
            p++;
        }
        while (last > p && last[-1] == ' ') {
            last--;
        }
        if (json_array_append_new(list, json_stringn(p, (size_t)(last - p))) != 0) {
            json_decref(list);
            return NULL;
        }
        if (*end == '\0') {
            break;
        }
        p = end;
    }
    return list;
}

/* Words need no quotes; numbers and lists are JSON. NULL: not JSON. */
static json_t *read_value(const mdf_config_key *k, const char *value)
{
    const bool words = k->kind == MDF_KEY_CHOICE || k->kind == MDF_KEY_TEXT;
    if (words && value[0] != '"') {
        return json_string(value);
    }
    const bool names = k->kind == MDF_KEY_LABELS || k->kind == MDF_KEY_WORDS;
    if (names && value[0] != '[') {
        return split_labels(value);
    }
    return json_loads(value, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
}

/* A setting of a part that the model does not have would be lost. */
static mdf_status check_part(const mdf_config *c, const mdf_config_key *k, const char *key,
                             mdf_error *err)
{
    const bool vision = strcmp(k->section, "vision_config") == 0 && !mdf_config_has_vision(c);
    const bool unet = strcmp(k->section, "unet_config") == 0 && !mdf_config_has_unet(c);
    if (vision || unet) {
        return mdf_fail(err, MDF_ERR_ARG, "%s: this model has no %s", key, k->section);
    }
    return MDF_OK;
}

static bool is_rope(const char *section)
{
    return strcmp(section, "text_config.rope_scaling") == 0;
}

static mdf_status store(mdf_config *c, const mdf_config_key *k, const char *key, const char *value,
                        mdf_error *err)
{
    json_t *v = read_value(k, value);
    if (v == NULL) {
        return mdf_fail(err, MDF_ERR_ARG, "%s: can't read the value \"%.60s\"", key, value);
    }
    mdf_config *fresh = mdf_alloc(1, sizeof *fresh);
    mdf_status status = MDF_OK;
    if (fresh == NULL) {
        status = mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the configuration");
    } else {
        *fresh = *c;
        status = mdf_config_store(fresh, k, v, err);
    }
    if (status == MDF_OK) {
        *c = *fresh;
        c->text.rope_scaling.enabled = c->text.rope_scaling.enabled || is_rope(k->section);
    }
    mdf_free(fresh);
    json_decref(v);
    return status;
}

mdf_status mdf_config_set(mdf_config *c, const char *assignment, mdf_error *err)
{
    const char *equals = strchr(assignment, '=');
    char key[MDF_CONFIG_PATH];
    if (equals == NULL || equals == assignment) {
        return mdf_fail(err, MDF_ERR_ARG, "\"%.100s\" is not a setting: write key=value",
                        assignment);
    }
    const size_t n = (size_t)(equals - assignment);
    if (n >= sizeof key) {
        return mdf_fail(err, MDF_ERR_ARG, "%.60s... is not a known key", assignment);
    }
    memcpy(key, assignment, n);
    key[n] = '\0';
    if (strcmp(equals + 1, "null") == 0 && ends_with("text_config.rope_scaling", key)) {
        c->text.rope_scaling = (mdf_rope_scaling){0};
        return MDF_OK;
    }
    const mdf_config_key *k = NULL;
    MDF_TRY(find_key(key, &k, err));
    MDF_TRY(check_part(c, k, key, err));
    return store(c, k, key, equals + 1, err);
}
