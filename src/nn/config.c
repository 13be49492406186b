/* The configuration: a table of keys, a reader and a writer that walk it. Checks between keys are in
 * config_validate.c. */
#include "nn/config.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"

typedef enum kind { INT, REAL, BOOL, TEXT, INTS, SPECIAL } kind;

/* One key: where it lives, what it may be, what it is if absent (NAN = it must be there). */
typedef struct key {
    const char *section, *name;
    kind type;
    size_t offset;
    double low, high, otherwise;
} key;

#define AT(field) offsetof(mdf_config, field)

#define T "text_config"
#define V "vision_config"
#define U "unet_config"
#define F "fusion_config"
#define A "answer_config"
#define R "train_config"
#define G "train_config.augment"

static const key keys[] = {
    {"", "image_token_index", INT, AT(image_token_index), 0, 1e7, NAN},
    {T, "vocab_size", INT, AT(text.vocab_size), 8, 1e6, NAN},
    {T, "hidden_size", INT, AT(text.hidden_size), 4, 65536, NAN},
    {T, "num_hidden_layers", INT, AT(text.num_hidden_layers), 1, MDF_MAX_LAYERS, NAN},
    {T, "num_attention_heads", INT, AT(text.num_attention_heads), 1, 1024, NAN},
    {T, "num_key_value_heads", INT, AT(text.num_key_value_heads), 1, 1024, NAN},
    {T, "intermediate_size", INT, AT(text.intermediate_size), 1, 1e6, NAN},
    {T, "max_position_embeddings", INT, AT(text.max_position_embeddings), 16, 1e7, 131072},
    {T, "cross_attention_layers", INTS, AT(text.cross_attention_layers), 0, MDF_MAX_LAYERS, NAN},
    {T, "rope_theta", REAL, AT(text.rope_theta), 1, 1e9, 500000},
    {T, "rope_scaling", SPECIAL, 0, 0, 0, 0},
    {T, "rms_norm_eps", REAL, AT(text.rms_norm_eps), 1e-12, 0.1, 1e-5},
    {T, "initializer_range", REAL, AT(text.initializer_range), 0, 10, 0.02},
    {T, "gate_init", REAL, AT(text.gate_init), -10, 10, 0},
    {T, "tie_word_embeddings", BOOL, AT(text.tie_word_embeddings), 0, 1, 0},
    {V, "hidden_size", INT, AT(vision.hidden_size), 4, 65536, NAN},
    {V, "num_hidden_layers", INT, AT(vision.num_hidden_layers), 1, MDF_MAX_LAYERS, NAN},
    {V, "num_global_layers", INT, AT(vision.num_global_layers), 0, MDF_MAX_LAYERS, NAN},
    {V, "attention_heads", INT, AT(vision.attention_heads), 1, 1024, NAN},
    {V, "intermediate_size", INT, AT(vision.intermediate_size), 1, 1e6, NAN},
    {V, "image_size", INT, AT(vision.image_size), 8, 4096, NAN},
    {V, "patch_size", INT, AT(vision.patch_size), 1, 512, NAN},
    {V, "max_num_tiles", INT, AT(vision.max_num_tiles), 1, 16, 4},
    {V, "intermediate_layers_indices", INTS, AT(vision.intermediate_layers_indices), 0,
     MDF_MAX_INTERMEDIATE, NAN},
    {V, "norm_eps", REAL, AT(vision.norm_eps), 1e-12, 0.1, 1e-5},
    {V, "initializer_range", REAL, AT(vision.initializer_range), 0, 10, 0.02},
    {V, "gate_init", REAL, AT(vision.gate_init), -10, 10, 0},
    {U, "base", INT, AT(unet.base), 1, 1024, NAN},
    {U, "image_size", INT, AT(unet.image_size), 16, 8192, NAN},
    {U, "norm_groups", INT, AT(unet.norm_groups), 1, 1024, 8},
    {U, "mask_channels", INT, AT(unet.mask_channels), 0, 2, 2},
    {F, "map", SPECIAL, 0, 0, 0, 0},
    {F, "grid", INT, AT(fusion.grid), 1, 256, 16},
    {F, "cells", INT, AT(fusion.cells), 1, 16, 2},
    {F, "film_hidden", INT, AT(fusion.film_hidden), 1, 65536, 128},
    {F, "attend", SPECIAL, 0, 0, 0, 0},
    {F, "film_direction", SPECIAL, 0, 0, 0, 0},
    {F, "gate_init", REAL, AT(fusion.gate_init), -10, 10, 0},
    {A, "labels", SPECIAL, 0, 0, 0, 0},
    {A, "normalise", SPECIAL, 0, 0, 0, 0},
    {A, "scale", REAL, AT(answer.scale), 1e-3, 1e3, 1},
    {A, "temperature", REAL, AT(answer.temperature), 1e-3, 1e3, 1},
    {A, "missing_text", TEXT, AT(answer.missing_text), 1, 255, 0},
    {R, "epochs", INT, AT(train.epochs), 1, 100000, 30},
    {R, "batch_size", INT, AT(train.batch_size), 1, 4096, 8},
    {R, "accumulate", INT, AT(train.accumulate), 1, 4096, 1},
    {R, "patience", INT, AT(train.patience), 0, 100000, 0},
    {R, "eval_every", INT, AT(train.eval_every), 1, 100000, 1},
    {R, "seed", INT, AT(train.seed), 0, 2147483647, 1},
    {R, "lr", REAL, AT(train.lr), 0, 10, 1e-3},
    {R, "lr_unet", REAL, AT(train.lr_unet), 0, 10, 1e-3},
    {R, "lr_vision", REAL, AT(train.lr_vision), 0, 10, 1e-3},
    {R, "lr_fusion", REAL, AT(train.lr_fusion), 0, 10, 1e-3},
    {R, "weight_decay", REAL, AT(train.weight_decay), 0, 10, 0.05},
    {R, "beta1", REAL, AT(train.beta1), 0, 0.9999, 0.9},
    {R, "beta2", REAL, AT(train.beta2), 0, 0.99999, 0.98},
    {R, "eps", REAL, AT(train.eps), 1e-16, 1, 1e-8},
    {R, "clip_norm", REAL, AT(train.clip_norm), 0, 1e6, 1},
    {R, "warmup", REAL, AT(train.warmup), 0, 1, 0.1},
    {R, "min_lr", REAL, AT(train.min_lr), 0, 1, 0.02},
    {R, "label_smoothing", REAL, AT(train.label_smoothing), 0, 0.9, 0},
    {R, "lm_weight", REAL, AT(train.lm_weight), 0, 100, 0.1},
    {R, "mask_weight", REAL, AT(train.mask_weight), 0, 100, 0.5},
    {R, "aux_weight", REAL, AT(train.aux_weight), 0, 100, 0},
    {R, "dropout", REAL, AT(train.dropout), 0, 0.9, 0},
    {R, "text_drop", REAL, AT(train.text_drop), 0, 1, 0},
    {R, "ema", REAL, AT(train.ema), 0, 0.99999, 0},
    {R, "max_minutes", REAL, AT(train.max_minutes), 0, 1e6, 0},
    {R, "balanced", BOOL, AT(train.balanced), 0, 1, 1},
    {R, "use_image", BOOL, AT(train.use_image), 0, 1, 1},
    {R, "use_text", BOOL, AT(train.use_text), 0, 1, 1},
    {R, "use_unet", BOOL, AT(train.use_unet), 0, 1, 1},
    {G, "rotate", REAL, AT(train.augment.rotate), 0, 180, 0},
    {G, "scale", REAL, AT(train.augment.scale), 0, 0.9, 0},
    {G, "shift", REAL, AT(train.augment.shift), 0, 0.5, 0},
    {G, "color", REAL, AT(train.augment.color), 0, 1, 0},
    {G, "flip", BOOL, AT(train.augment.flip), 0, 1, 0},
};
enum { KEY_COUNT = sizeof keys / sizeof keys[0] };

static const char *const sections[] = {T, V, U, F, A, R, G};
enum { SECTION_COUNT = sizeof sections / sizeof sections[0] };

/* Keys that other writers put there and that carry nothing for us. */
static const char *const ignored[] = {
    "model_type",   "architectures", "torch_dtype", "dtype",          "transformers_version",
    "tokenizer",    "hidden_act",    "dropout_p",   "use_cache",      "bos_token_id",
    "eos_token_id", "pad_token_id",  "num_channels", "vision_output_dim", "supported_aspect_ratios"};

static bool is_ignored(const char *name)
{
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) {
        if (strcmp(name, ignored[i]) == 0) {
            return true;
        }
    }
    return false;
}

static size_t edit_distance(const char *a, const char *b)
{
    size_t row[64];
    const size_t n = strlen(a);
    const size_t m = strlen(b);
    if (n >= 64 || m >= 64) {
        return 64;
    }
    for (size_t j = 0; j <= m; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            const size_t keep = row[j];
            const size_t change = diagonal + (a[i - 1] != b[j - 1]);
            size_t best = row[j] + 1 < row[j - 1] + 1 ? row[j] + 1 : row[j - 1] + 1;
            best = change < best ? change : best;
            row[j] = best;
            diagonal = keep;
        }
    }
    return row[m];
}

static const char *dot(const char *section)
{
    return section[0] == '\0' ? "" : ".";
}

static mdf_status unknown_key(const char *file, const char *section, const char *name,
                              mdf_error *err)
{
    const char *best = NULL;
    size_t least = 4; /* further away is no help */
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const size_t d = edit_distance(name, keys[i].name);
        if (strcmp(keys[i].section, section) == 0 && d < least) {
            least = d;
            best = keys[i].name;
        }
    }
    return mdf_fail(err, MDF_ERR_FORMAT, "%s: %s%s%s is not a known key%s%s%s", file, section,
                    dot(section), name, best == NULL ? "" : "; did you mean \"",
                    best == NULL ? "" : best, best == NULL ? "" : "\"?");
}

static void *field(mdf_config *c, const key *k)
{
    return (char *)c + k->offset;
}

static const void *const_field(const mdf_config *c, const key *k)
{
    return (const char *)c + k->offset;
}

static mdf_status wrong(const char *file, const key *k, const char *want, mdf_error *err)
{
    return mdf_fail(err, MDF_ERR_FORMAT, "%s: %s%s%s must be %s", file, k->section, dot(k->section),
                    k->name, want);
}

static mdf_status read_number(mdf_config *c, const key *k, const json_t *v, const char *file,
                              mdf_error *err)
{
    const bool fits = k->type == INT ? json_is_integer(v) : json_is_number(v);
    const double x = json_number_value(v);
    if (!fits || !(x >= k->low && x <= k->high)) {
        char want[96];
        (void)snprintf(want, sizeof want, "%s from %g to %g",
                       k->type == INT ? "a whole number" : "a number", k->low, k->high);
        return wrong(file, k, want, err);
    }
    if (k->type == INT) {
        *(int *)field(c, k) = (int)x;
    } else {
        *(double *)field(c, k) = x;
    }
    return MDF_OK;
}

static mdf_status read_ints(mdf_config *c, const key *k, const json_t *v, const char *file,
                            mdf_error *err)
{
    int *list = field(c, k);
    int *count = list == c->text.cross_attention_layers ? &c->text.cross_count
                                                        : &c->vision.intermediate_count;
    if (!json_is_array(v) || json_array_size(v) > (size_t)k->high) {
        return wrong(file, k, "a list of layer numbers", err);
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *item = json_array_get(v, i);
        if (!json_is_integer(item) || json_integer_value(item) < 0 ||
            json_integer_value(item) >= MDF_MAX_LAYERS) {
            return wrong(file, k, "a list of layer numbers", err);
        }
        list[i] = (int)json_integer_value(item);
    }
    *count = (int)json_array_size(v);
    return MDF_OK;
}

static mdf_status read_map(mdf_config *c, const key *k, const json_t *v, const char *file,
                           mdf_error *err)
{
    if (!json_is_array(v) || json_array_size(v) > MDF_MAX_LEVEL_MAP) {
        return wrong(file, k, "a list of [layer, level] pairs", err);
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *pair = json_array_get(v, i);
        const json_t *layer = json_array_get(pair, 0);
        const json_t *level = json_array_get(pair, 1);
        if (json_array_size(pair) != 2 || !json_is_integer(layer) || !json_is_integer(level) ||
            json_integer_value(layer) < 0 || json_integer_value(layer) >= MDF_MAX_LAYERS ||
            json_integer_value(level) < 1 || json_integer_value(level) > 4) {
            return wrong(file, k, "a list of [layer, level] pairs with levels 1 to 4", err);
        }
        c->fusion.map[i].layer = (int)json_integer_value(layer);
        c->fusion.map[i].level = (int)json_integer_value(level);
    }
    c->fusion.map_count = (int)json_array_size(v);
    return MDF_OK;
}

static mdf_status read_labels(mdf_config *c, const key *k, const json_t *v, const char *file,
                              mdf_error *err)
{
    if (!json_is_array(v) || json_array_size(v) > MDF_MAX_CLASSES) {
        return wrong(file, k, "a list of at most 256 label strings", err);
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *s = json_array_get(v, i);
        const size_t n = json_string_length(s);
        if (!json_is_string(s) || n == 0 || n > MDF_MAX_LABEL_BYTES) {
            return wrong(file, k, "a list of strings of 1 to 128 bytes", err);
        }
        memcpy(c->answer.labels[i], json_string_value(s), n + 1);
    }
    c->answer.label_count = (int)json_array_size(v);
    return MDF_OK;
}

static mdf_status read_scaling(mdf_config *c, const key *k, const json_t *v, const char *file,
                               mdf_error *err)
{
    mdf_rope_scaling *s = &c->text.rope_scaling;
    *s = (mdf_rope_scaling){0};
    if (json_is_null(v)) {
        return MDF_OK;
    }
    const char *type = json_string_value(json_object_get(v, "rope_type"));
    if (type == NULL || strcmp(type, "llama3") != 0) {
        return wrong(file, k, "null or an object with rope_type \"llama3\"", err);
    }
    s->factor = json_number_value(json_object_get(v, "factor"));
    s->low_freq_factor = json_number_value(json_object_get(v, "low_freq_factor"));
    s->high_freq_factor = json_number_value(json_object_get(v, "high_freq_factor"));
    s->original_max_position_embeddings =
        (int)json_integer_value(json_object_get(v, "original_max_position_embeddings"));
    s->enabled = true;
    if (!(s->factor >= 1) || !(s->low_freq_factor > 0) ||
        !(s->high_freq_factor > s->low_freq_factor) || s->original_max_position_embeddings < 1) {
        return wrong(file, k,
                     "llama3 scaling with factor, low_freq_factor < high_freq_factor and "
                     "original_max_position_embeddings",
                     err);
    }
    return MDF_OK;
}

static mdf_status read_word(const key *k, const json_t *v, const char *const *words, int count,
                            int *out, const char *file, mdf_error *err)
{
    char want[128] = "one of";
    for (int i = 0; i < count; i++) {
        if (json_is_string(v) && strcmp(json_string_value(v), words[i]) == 0) {
            *out = i;
            return MDF_OK;
        }
        const size_t n = strlen(want);
        (void)snprintf(want + n, sizeof want - n, " \"%s\"", words[i]);
    }
    return wrong(file, k, want, err);
}

static const char *const attend_words[] = {"branch", "concat"};
static const char *const film_words[] = {"text_to_unet", "unet_to_text", "none"};
static const char *const normalise_words[] = {"sum", "mean"};

static mdf_status read_special(mdf_config *c, const key *k, const json_t *v, const char *file,
                               mdf_error *err)
{
    int word = 0;
    if (strcmp(k->name, "map") == 0) {
        return read_map(c, k, v, file, err);
    }
    if (strcmp(k->name, "labels") == 0) {
        return read_labels(c, k, v, file, err);
    }
    if (strcmp(k->name, "rope_scaling") == 0) {
        return read_scaling(c, k, v, file, err);
    }
    if (strcmp(k->name, "attend") == 0) {
        MDF_TRY(read_word(k, v, attend_words, 2, &word, file, err));
        c->fusion.attend = (mdf_fusion_attend)word;
    } else if (strcmp(k->name, "film_direction") == 0) {
        MDF_TRY(read_word(k, v, film_words, 3, &word, file, err));
        c->fusion.film_direction = (mdf_film_direction)word;
    } else {
        MDF_TRY(read_word(k, v, normalise_words, 2, &word, file, err));
        c->answer.normalise_mean = word == 1;
    }
    return MDF_OK;
}

static mdf_status read_key(mdf_config *c, const key *k, const json_t *v, const char *file,
                           mdf_error *err)
{
    switch (k->type) {
    case INT:
    case REAL:
        return read_number(c, k, v, file, err);
    case BOOL:
        if (!json_is_boolean(v)) {
            return wrong(file, k, "true or false", err);
        }
        *(bool *)field(c, k) = json_is_true(v);
        return MDF_OK;
    case TEXT: {
        const size_t n = json_string_length(v);
        if (!json_is_string(v) || n < 1 || n > (size_t)k->high) {
            return wrong(file, k, "a string of 1 to 255 bytes", err);
        }
        memcpy(field(c, k), json_string_value(v), n + 1);
        return MDF_OK;
    }
    case INTS:
        return read_ints(c, k, v, file, err);
    case SPECIAL:
        return read_special(c, k, v, file, err);
    }
    return MDF_OK;
}

static bool is_section(const char *parent, const char *name)
{
    if (strcmp(parent, R) == 0) {
        return strcmp(name, "augment") == 0;
    }
    for (int i = 0; parent[0] == '\0' && i < SECTION_COUNT - 1; i++) {
        if (strcmp(name, sections[i]) == 0) {
            return true;
        }
    }
    return false;
}

static mdf_status read_section(mdf_config *c, const char *section, const json_t *object,
                               const char *file, mdf_error *err)
{
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        const key *found = NULL;
        for (size_t i = 0; found == NULL && i < KEY_COUNT; i++) {
            if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].name, name) == 0) {
                found = &keys[i];
            }
        }
        if (found != NULL) {
            MDF_TRY(read_key(c, found, value, file, err));
        } else if (!is_section(section, name) && !is_ignored(name)) {
            return unknown_key(file, section, name, err);
        }
    }
    return MDF_OK;
}

static const json_t *section_of(const json_t *root, const char *section)
{
    if (section[0] == '\0') {
        return root;
    }
    if (strcmp(section, G) == 0) {
        return json_object_get(json_object_get(root, R), "augment");
    }
    return json_object_get(root, section);
}

static void set_defaults(mdf_config *c)
{
    memset(c, 0, sizeof *c);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const key *k = &keys[i];
        if (isnan(k->otherwise)) {
            continue;
        }
        if (k->type == INT) {
            *(int *)field(c, k) = (int)k->otherwise;
        } else if (k->type == REAL) {
            *(double *)field(c, k) = k->otherwise;
        } else if (k->type == BOOL) {
            *(bool *)field(c, k) = k->otherwise != 0;
        }
    }
    c->answer.normalise_mean = true;
    memcpy(c->answer.missing_text, "No clinical text.", sizeof "No clinical text.");
}

static mdf_status read_root(mdf_config *c, const json_t *root, const char *file, mdf_error *err)
{
    if (!json_is_object(root)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: want a JSON object", file);
    }
    set_defaults(c);
    MDF_TRY(read_section(c, "", root, file, err));
    for (int i = 0; i < SECTION_COUNT; i++) {
        const json_t *object = section_of(root, sections[i]);
        if (object != NULL && !json_is_object(object)) {
            return mdf_fail(err, MDF_ERR_FORMAT, "%s: %s must be an object", file, sections[i]);
        }
        if (object != NULL) {
            MDF_TRY(read_section(c, sections[i], object, file, err));
        }
    }
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const key *k = &keys[i];
        const json_t *object = section_of(root, k->section);
        if (isnan(k->otherwise) && json_object_get(object, k->name) == NULL) {
            return mdf_fail(err, MDF_ERR_FORMAT, "%s: %s%s%s is missing", file, k->section,
                            dot(k->section), k->name);
        }
    }
    return MDF_OK;
}

mdf_status mdf_config_parse(mdf_config *c, const char *bytes, size_t len, const char *name,
                            mdf_error *err)
{
    if (len > MDF_MAX_CONFIG_BYTES) {
        return mdf_fail(err, MDF_ERR_LIMIT, "%s: %zu bytes, more than the limit of %zu", name, len,
                        MDF_MAX_CONFIG_BYTES);
    }
    json_error_t e;
    json_t *root = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &e);
    if (root == NULL) {
        return mdf_fail_at(err, MDF_ERR_FORMAT, (size_t)(e.position < 0 ? 0 : e.position),
                           "%s: line %d: %s", name, e.line, e.text);
    }
    mdf_status status = read_root(c, root, name, err);
    json_decref(root);
    if (status == MDF_OK) {
        status = mdf_config_validate(c, err);
        if (status != MDF_OK) {
            status = mdf_fail_prefix(err, status, name);
        }
    }
    return status;
}

mdf_status mdf_config_load(mdf_config *c, const char *path, mdf_error *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    MDF_TRY(mdf_file_read(path, MDF_MAX_CONFIG_BYTES, &bytes, &len, err));
    const mdf_status status = mdf_config_parse(c, (const char *)bytes, len, path, err);
    mdf_free(bytes);
    return status;
}

mdf_status mdf_config_set(mdf_config *c, const char *assignment, mdf_error *err)
{
    char name[128];
    const char *equals = strchr(assignment, '=');
    if (equals == NULL || equals == assignment || (size_t)(equals - assignment) >= sizeof name) {
        return mdf_fail(err, MDF_ERR_ARG, "--set %s: want key=value", assignment);
    }
    memcpy(name, assignment, (size_t)(equals - assignment));
    name[equals - assignment] = '\0';
    const key *found = NULL;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s%s%s", keys[i].section, dot(keys[i].section),
                       keys[i].name);
        const bool exact = strcmp(path, name) == 0;
        if (!exact && strcmp(keys[i].name, name) != 0) {
            continue;
        }
        if (!exact && found != NULL) {
            return mdf_fail(err, MDF_ERR_ARG, "--set %s: %s is in %s and in %s; write it in full",
                            assignment, name, found->section, keys[i].section);
        }
        found = &keys[i];
        if (exact) {
            break;
        }
    }
    if (found == NULL) {
        return unknown_key("--set", "", name, err);
    }
    json_t *value = json_loads(equals + 1, JSON_DECODE_ANY, NULL);
    if (value == NULL) {
        value = json_string(equals + 1);
    }
    const mdf_status status =
        value == NULL ? mdf_fail(err, MDF_ERR_ARG, "--set %s: not a value", assignment)
                      : read_key(c, found, value, "--set", err);
    json_decref(value);
    return status;
}

static json_t *special_value(const mdf_config *c, const key *k)
{
    if (strcmp(k->name, "map") == 0) {
        json_t *list = json_array();
        for (int i = 0; i < c->fusion.map_count; i++) {
            (void)json_array_append_new(
                list, json_pack("[i,i]", c->fusion.map[i].layer, c->fusion.map[i].level));
        }
        return list;
    }
    if (strcmp(k->name, "labels") == 0) {
        json_t *list = json_array();
        for (int i = 0; i < c->answer.label_count; i++) {
            (void)json_array_append_new(list, json_string(c->answer.labels[i]));
        }
        return list;
    }
    if (strcmp(k->name, "rope_scaling") == 0) {
        const mdf_rope_scaling *s = &c->text.rope_scaling;
        return !s->enabled ? json_null()
                           : json_pack("{s:s,s:f,s:f,s:f,s:i}", "rope_type", "llama3", "factor",
                                       s->factor, "low_freq_factor", s->low_freq_factor,
                                       "high_freq_factor", s->high_freq_factor,
                                       "original_max_position_embeddings",
                                       s->original_max_position_embeddings);
    }
    if (strcmp(k->name, "attend") == 0) {
        return json_string(attend_words[c->fusion.attend]);
    }
    if (strcmp(k->name, "film_direction") == 0) {
        return json_string(film_words[c->fusion.film_direction]);
    }
    return json_string(normalise_words[c->answer.normalise_mean ? 1 : 0]);
}

static json_t *value_of(const mdf_config *c, const key *k)
{
    const void *p = const_field(c, k);
    json_t *list = NULL;
    switch (k->type) {
    case INT:
        return json_integer(*(const int *)p);
    case REAL:
        return json_real(*(const double *)p);
    case BOOL:
        return json_boolean(*(const bool *)p);
    case TEXT:
        return json_string(p);
    case INTS: {
        const bool cross = p == (const void *)c->text.cross_attention_layers;
        const int count = cross ? c->text.cross_count : c->vision.intermediate_count;
        list = json_array();
        for (int i = 0; i < count; i++) {
            (void)json_array_append_new(list, json_integer(((const int *)p)[i]));
        }
        return list;
    }
    case SPECIAL:
        return special_value(c, k);
    }
    return NULL;
}

mdf_status mdf_config_write(const mdf_config *c, mdf_strbuf *out, mdf_error *err)
{
    json_t *root = json_pack("{s:s}", "model_type", "mdf_mllm");
    bool ok = root != NULL;
    for (int i = 0; ok && i < SECTION_COUNT; i++) {
        json_t *parent = strcmp(sections[i], G) == 0 ? json_object_get(root, R) : root;
        const char *name = strcmp(sections[i], G) == 0 ? "augment" : sections[i];
        ok = json_object_set_new(parent, name, json_object()) == 0;
    }
    for (size_t i = 0; ok && i < KEY_COUNT; i++) {
        json_t *object = (json_t *)(uintptr_t)section_of(root, keys[i].section);
        ok = json_object_set_new(object, keys[i].name, value_of(c, &keys[i])) == 0;
    }
    char *text = ok ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(root);
    if (text == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "out of memory while writing the configuration");
    }
    mdf_strbuf_puts(out, text);
    mdf_strbuf_puts(out, "\n");
    free(text);
    return out->failed ? mdf_fail(err, MDF_ERR_NOMEM, "out of memory") : MDF_OK;
}
