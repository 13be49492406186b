/* A training in stages: each changes some settings of the training, and begins with the weights of
 * the one before. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "config/config_schema.h"

static const char section[] = "train_config";

/* "crop" in train_config -> "train_config.crop"; NULL: no section of that name. */
static const char *child_section(const char *where, const char *name)
{
    const size_t n = strlen(where);
    for (size_t i = 0; i < mdf_config_section_count; i++) {
        const char *s = mdf_config_sections[i];
        if (strncmp(s, where, n) == 0 && s[n] == '.' && strcmp(s + n + 1, name) == 0) {
            return s;
        }
    }
    return NULL;
}

static mdf_status apply(mdf_config *c, const char *where, json_t *object, mdf_error *err)
{
    for (void *it = json_object_iter(object); it != NULL; it = json_object_iter_next(object, it)) {
        const char *name = json_object_iter_key(it);
        json_t *value = json_object_iter_value(it);
        const mdf_config_key *k = mdf_config_find(where, name);
        const char *child = child_section(where, name);
        if (child != NULL && !json_is_object(value)) {
            return mdf_fail(err, MDF_ERR_FORMAT, "%s must be an object {...}", child);
        }
        if (child != NULL) {
            MDF_TRY(apply(c, child, value, err));
            continue;
        }
        if (k == NULL || k->kind == MDF_KEY_STAGES) {
            const char *near = mdf_config_nearest(where, name);
            return mdf_fail(err, MDF_ERR_FORMAT, "%.60s is not a setting of a stage%s%s%s", name,
                            near != NULL && k == NULL ? "; did you mean \"" : "",
                            near != NULL && k == NULL ? near : "",
                            near != NULL && k == NULL ? "\"?" : "");
        }
        MDF_TRY(mdf_config_store(c, k, value, err));
    }
    return MDF_OK;
}

mdf_status mdf_config_stage(mdf_config *out, const mdf_config *c, int stage, mdf_error *err)
{
    char where[64];
    json_error_t fault = {0};
    const char *text = c->train.stages[stage];
    json_t *object = mdf_json_load(text, strlen(text), JSON_REJECT_DUPLICATES, &fault);
    *out = *c;
    out->train.stage_count = 0;
    memset(out->train.stages, 0, sizeof out->train.stages);
    mdf_status status = object != NULL
                            ? apply(out, section, object, err)
                            : mdf_fail(err, MDF_ERR_FORMAT, "not valid JSON: %s", fault.text);
    json_decref(object);
    if (status != MDF_OK) {
        (void)snprintf(where, sizeof where, "train_config.stages[%d]", stage);
        return mdf_fail_prefix(err, status, where);
    }
    return MDF_OK;
}
