/* JSON -> mdf_config: defaults, then what the file says, then whether it is complete. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "config/config_hf.h"

static void set_defaults(mdf_config *c)
{
    memset(c, 0, sizeof *c);
    for (size_t i = 0; i < mdf_config_key_count; i++) {
        const mdf_config_key *k = &mdf_config_keys[i];
        if (k->initial != NULL && !k->required) {
            json_t *v = json_loads(k->initial, JSON_DECODE_ANY, NULL);
            if (v != NULL) {
                (void)!mdf_config_store(c, k, v, NULL);
            }
            json_decref(v);
        }
    }
}

/* Parts that are left out; their sizes must not divide by zero. */
static const mdf_unet_config no_unet = {.image_size = 16, .norm_groups = 1};
static const mdf_vision_config no_vision = {
    .num_channels = 3, .image_size = 1, .patch_size = 1, .deduplicate = true};

void mdf_config_released(mdf_config *c)
{
    set_defaults(c);
    mdf_config_hf_defaults(c, MDF_CONFIG_MLLAMA);
    c->unet = no_unet;
    c->vision = no_vision;
}

typedef struct reader {
    mdf_config *c;
    bool released; /* a file of Hugging Face's */
    mdf_error *err;
} reader;

static mdf_status fail_unknown(const reader *r, const char *section, const char *key)
{
    const char *near = mdf_config_nearest(section, key);
    const char *dot = section[0] != '\0' ? "." : "";
    if (near == NULL) {
        return mdf_fail(r->err, MDF_ERR_FORMAT, "%s%s%.60s is not a known key", section, dot, key);
    }
    return mdf_fail(r->err, MDF_ERR_FORMAT, "%s%s%.60s is not a known key; did you mean \"%s\"?",
                    section, dot, key, near);
}

static const char *child_section(const char *section, const char *key)
{
    char path[MDF_CONFIG_PATH];
    (void)snprintf(path, sizeof path, "%s%s%s", section, section[0] != '\0' ? "." : "", key);
    for (size_t i = 1; i < mdf_config_section_count; i++) {
        if (strcmp(mdf_config_sections[i], path) == 0) {
            return mdf_config_sections[i];
        }
    }
    return NULL;
}

static mdf_status read_section(const reader *r, const char *section, json_t *object);

/* All of its numbers must be there, wherever the object stood. */
static mdf_status check_scaling(const reader *r, const json_t *object)
{
    for (size_t i = 0; i < mdf_config_key_count; i++) {
        const mdf_config_key *k = &mdf_config_keys[i];
        if (strcmp(k->section, "text_config.rope_scaling") == 0 && k->required &&
            json_object_get(object, k->name) == NULL) {
            return mdf_fail(r->err, MDF_ERR_FORMAT, "text_config.rope_scaling.%s is missing",
                            k->name);
        }
    }
    return MDF_OK;
}

/* null and rope_type "default" mean none. Old files call it "type", some have both. */
static mdf_status read_scaling(const reader *r, json_t *value)
{
    mdf_rope_scaling *s = &r->c->text.rope_scaling;
    *s = (mdf_rope_scaling){0};
    if (json_is_null(value)) {
        return MDF_OK;
    }
    json_t *old = r->released ? json_object_get(value, "type") : NULL;
    json_t *type = json_object_get(value, "rope_type");
    type = type != NULL ? type : old;
    if (json_is_string(type) && strcmp(json_string_value(type), "default") == 0) {
        return MDF_OK;
    }
    if (old != NULL &&
        (json_object_set(value, "rope_type", type) != 0 || json_object_del(value, "type") != 0)) {
        return mdf_fail(r->err, MDF_ERR_NOMEM, "out of memory for the configuration");
    }
    MDF_TRY(read_section(r, "text_config.rope_scaling", value));
    s->enabled = true;
    return check_scaling(r, value);
}

/* Newer Hugging Face files put rope_theta and rope_scaling into one object. */
static mdf_status read_rope_parameters(const reader *r, json_t *value)
{
    if (!json_is_object(value)) {
        return mdf_fail(r->err, MDF_ERR_FORMAT, "text_config.rope_parameters must be an object");
    }
    json_t *theta = json_object_get(value, "rope_theta");
    if (theta != NULL) {
        const mdf_config_key *k = mdf_config_find("text_config", "rope_theta");
        MDF_TRY(mdf_config_store(r->c, k, theta, r->err));
    }
    json_t *scaling = json_copy(value);
    if (scaling == NULL) {
        return mdf_fail(r->err, MDF_ERR_NOMEM, "out of memory for the configuration");
    }
    (void)json_object_del(scaling, "rope_theta");
    const mdf_status status = json_object_size(scaling) > 0 ? read_scaling(r, scaling) : MDF_OK;
    json_decref(scaling);
    return status;
}

static mdf_status read_member(const reader *r, const char *section, const char *key, json_t *value)
{
    const mdf_config_key *k = mdf_config_find(section, key);
    if (r->released && json_is_null(value)) { /* Python's None: as if it were not there */
        return k != NULL || mdf_config_hf_harmless(key) || child_section(section, key) != NULL
                   ? MDF_OK
                   : fail_unknown(r, section, key);
    }
    if (k != NULL) {
        return mdf_config_store(r->c, k, value, r->err);
    }
    const char *child = child_section(section, key);
    if (child != NULL) {
        return strcmp(child, "text_config.rope_scaling") == 0 ? read_scaling(r, value)
                                                              : read_section(r, child, value);
    }
    if (strcmp(section, "text_config") == 0 && strcmp(key, "rope_parameters") == 0) {
        return read_rope_parameters(r, value);
    }
    return r->released && mdf_config_hf_harmless(key) ? MDF_OK : fail_unknown(r, section, key);
}

static mdf_status read_section(const reader *r, const char *section, json_t *object)
{
    if (!json_is_object(object)) {
        return mdf_fail(r->err, MDF_ERR_FORMAT, "%s must be an object {...}",
                        section[0] != '\0' ? section : "the configuration");
    }
    for (void *it = json_object_iter(object); it != NULL; it = json_object_iter_next(object, it)) {
        MDF_TRY(read_member(r, section, json_object_iter_key(it), json_object_iter_value(it)));
    }
    return MDF_OK;
}

/* A part that is left out as a whole: no detail path, or a text model alone. */
static bool left_out(const mdf_config *c, const json_t *root, const char *section)
{
    const json_t *o = json_object_get(root, section);
    if (o != NULL && !json_is_null(o)) {
        return false;
    }
    return (strcmp(section, "unet_config") == 0 && c->fusion.map_count == 0) ||
           (strcmp(section, "vision_config") == 0 && c->text.cross_count == 0);
}

/* A default for a size would be another model. */
static mdf_status check_required(const reader *r, const json_t *root)
{
    for (size_t i = 0; i < mdf_config_key_count; i++) {
        const mdf_config_key *k = &mdf_config_keys[i];
        const bool scaling = strcmp(k->section, "text_config.rope_scaling") == 0;
        const json_t *o = k->section[0] == '\0' ? root : json_object_get(root, k->section);
        if (!k->required || scaling || left_out(r->c, root, k->section)) {
            continue;
        }
        const json_t *v = json_object_get(o, k->name);
        if (v == NULL || (r->released && json_is_null(v))) {
            char path[MDF_CONFIG_PATH];
            mdf_config_key_path(k, path);
            return mdf_fail(r->err, MDF_ERR_FORMAT, "%s is missing", path);
        }
    }
    if (left_out(r->c, root, "unet_config")) {
        r->c->unet = no_unet;
    }
    if (left_out(r->c, root, "vision_config")) {
        r->c->vision = no_vision;
    }
    return MDF_OK;
}

static bool ratios_agree(const mdf_config *c, const json_t *list)
{
    size_t i = 0;
    for (int h = 1; h <= c->vision.max_num_tiles; h++) {
        for (int w = 1; h * w <= c->vision.max_num_tiles; w++, i++) {
            const json_t *pair = json_array_get(list, i);
            if (json_array_size(pair) != 2 || !json_is_integer(json_array_get(pair, 0)) ||
                !json_is_integer(json_array_get(pair, 1)) ||
                json_integer_value(json_array_get(pair, 0)) != h ||
                json_integer_value(json_array_get(pair, 1)) != w) {
                return false;
            }
        }
    }
    return json_array_size(list) == i;
}

/* A key and its old form must not both be there. */
static mdf_status check_old(const json_t *root, mdf_error *err)
{
    const json_t *unet = json_object_get(root, "unet_config");
    if (json_object_get(unet, "masks") != NULL && json_object_get(unet, "mask_channels") != NULL) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "unet_config.mask_channels is the old form of masks: give one of the two");
    }
    return MDF_OK;
}

/* Keys that follow from others may be there, but must say the same. */
static mdf_status check_derived(const mdf_config *c, const json_t *root, mdf_error *err)
{
    const json_t *vision = json_object_get(root, "vision_config");
    const json_t *dim = json_object_get(vision, "vision_output_dim");
    const int wanted = mdf_config_vision_output(c);
    if (dim != NULL && !json_is_null(dim) &&
        (!json_is_integer(dim) || json_integer_value(dim) != wanted)) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "vision_config.vision_output_dim must be hidden_size * (1 + intermediate "
                        "layers) = %d",
                        wanted);
    }
    const json_t *ratios = json_object_get(vision, "supported_aspect_ratios");
    if (ratios != NULL && !json_is_null(ratios) && !ratios_agree(c, ratios)) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "vision_config.supported_aspect_ratios must list all %d grids of at most "
                        "max_num_tiles = %d tiles, [1,1] first, in order",
                        mdf_config_aspect_ratios(c), c->vision.max_num_tiles);
    }
    return MDF_OK;
}

static mdf_status read_root(mdf_config *c, json_t *root, mdf_config_kind kind, mdf_error *err)
{
    const reader r = {c, kind != MDF_CONFIG_OURS, err};
    set_defaults(c);
    if (r.released) {
        mdf_config_hf_defaults(c, kind);
    }
    MDF_TRY(read_section(&r, "", root));
    MDF_TRY(check_required(&r, root));
    MDF_TRY(check_old(root, err));
    MDF_TRY(check_derived(c, root, err));
    if (r.released) {
        MDF_TRY(mdf_config_hf_check(c, root, err));
    }
    return mdf_config_validate(c, err);
}

static mdf_status parse(mdf_config *c, const char *bytes, size_t len, mdf_error *err)
{
    json_error_t where = {0};
    json_t *root = mdf_json_load(bytes, len, JSON_REJECT_DUPLICATES, &where);
    if (root == NULL) {
        return mdf_fail_at(err, MDF_ERR_FORMAT, where.position > 0 ? (size_t)where.position : 0,
                           "not valid JSON: line %d, column %d: %s", where.line, where.column,
                           where.text);
    }
    mdf_config_kind kind = MDF_CONFIG_OURS;
    mdf_status status = mdf_config_kind_of(&kind, root, err);
    if (status == MDF_OK && kind == MDF_CONFIG_LLAMA) {
        json_t *wrapped = mdf_config_wrap_llama(root);
        json_decref(root);
        if (wrapped == NULL) {
            return mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the configuration");
        }
        root = wrapped;
    }
    if (status == MDF_OK && kind != MDF_CONFIG_OURS) {
        status = mdf_config_hf_complete(root, kind, err);
    }
    if (status == MDF_OK) {
        status = read_root(c, root, kind, err);
    }
    json_decref(root);
    return status;
}

mdf_status mdf_config_parse(mdf_config *c, const char *bytes, size_t len, const char *name,
                            mdf_error *err)
{
    if (len > MDF_MAX_CONFIG_BYTES) {
        return mdf_fail(err, MDF_ERR_LIMIT, "%s: %zu bytes, more than the limit of %zu", name, len,
                        MDF_MAX_CONFIG_BYTES);
    }
    mdf_config *fresh = mdf_alloc(1, sizeof *fresh);
    if (fresh == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", name);
    }
    mdf_status status = parse(fresh, bytes, len, err);
    if (status == MDF_OK) {
        *c = *fresh;
    } else {
        status = mdf_fail_prefix(err, status, name);
    }
    mdf_free(fresh);
    return status;
}

/* A file was given where a model's folder is meant, most often one that would have to be imported.
 */
static mdf_status check_folder(const char *path, mdf_error *err)
{
    const char *slash = strrchr(path, '/');
    char *dir = mdf_strndup(path, slash != NULL ? (size_t)(slash - path) : 0);
    mdf_map map = {0};
    mdf_status status = MDF_OK;
    if (dir == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", path);
    }
    if (dir[0] != '\0' && mdf_path_exists(dir) && !mdf_path_is_dir(dir)) {
        const bool gguf = mdf_map_open(&map, dir, NULL) == MDF_OK && map.len >= 4 &&
                          memcmp(map.data, "GGUF", 4) == 0;
        status = mdf_fail(err, MDF_ERR_FORMAT, "%s: it is a %s, not a model's folder%s", dir,
                          gguf ? "GGUF file" : "file", gguf ? ": mdf import makes one of it" : "");
        mdf_map_close(&map);
    }
    mdf_free(dir);
    return status;
}

mdf_status mdf_config_load(mdf_config *c, const char *path, mdf_error *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    MDF_TRY(check_folder(path, err));
    MDF_TRY(mdf_file_read(path, MDF_MAX_CONFIG_BYTES, &bytes, &len, err));
    const mdf_status status = mdf_config_parse(c, (const char *)bytes, len, path, err);
    mdf_free(bytes);
    return status;
}
