/* adapter_config.json of PEFT's LoRA. */
#include "weights/lora_config.h"

#include "base/json.h"

#include <math.h>
#include <string.h>

/* What a key of PEFT means for W + scale * B A. */
typedef enum key_kind {
    READ,     /* is looked at below */
    HARMLESS, /* whatever it holds: about training, or said by the tensors' names and shapes */
    REFUSED   /* when it is set */
} key_kind;

typedef struct key_row {
    const char *key;
    key_kind kind;
    const char *why; /* of a refusal */
} key_row;

/* Every key that PEFT 0.21.2 and the versions before it write. */
static const key_row keys[] = {
    {"peft_type", READ, NULL},
    {"r", READ, NULL},
    {"lora_alpha", READ, NULL},
    {"use_rslora", READ, NULL},
    {"rank_pattern", READ, NULL},
    {"alpha_pattern", READ, NULL},
    {"init_lora_weights", READ, NULL},
    {"bias", READ, NULL},

    {"task_type", HARMLESS, NULL},
    {"auto_mapping", HARMLESS, NULL},
    {"peft_version", HARMLESS, NULL},
    {"base_model_name_or_path", HARMLESS, NULL},
    {"revision", HARMLESS, NULL},
    {"inference_mode", HARMLESS, NULL},
    {"runtime_config", HARMLESS, NULL},
    {"lora_dropout", HARMLESS, NULL},
    {"target_modules", HARMLESS, NULL},
    {"exclude_modules", HARMLESS, NULL},
    {"layers_to_transform", HARMLESS, NULL},
    {"layers_pattern", HARMLESS, NULL},
    {"megatron_core", HARMLESS, NULL},     /* a module's name, for megatron_config */
    {"qalora_group_size", HARMLESS, NULL}, /* for use_qalora */
    {"loftq_config", HARMLESS, NULL},      /* these four: for init_lora_weights */
    {"eva_config", HARMLESS, NULL},
    {"corda_config", HARMLESS, NULL},
    {"lora_ga_config", HARMLESS, NULL},

    {"use_dora", REFUSED, "it scales every row of the sum"},
    {"fan_in_fan_out", REFUSED, "its matrices are transposed"},
    {"modules_to_save", REFUSED, "it replaces whole modules"},
    {"trainable_token_indices", REFUSED, "it replaces rows of embeddings"},
    {"target_parameters", REFUSED, "it changes parameters that are no linear layers"},
    {"lora_bias", REFUSED, "it adds biases"},
    {"use_qalora", REFUSED, "its A reads means of groups of inputs"},
    {"alora_invocation_tokens", REFUSED, "it changes only what follows these tokens"},
    {"layer_replication", REFUSED, "its model has layers more than once"},
    {"megatron_config", REFUSED, "its layers are Megatron's"},
    {"arrow_config", REFUSED, "it chooses among several adapters"},
    {"use_bdlora", REFUSED, "its matrices are made of blocks"},
    {"kasa_config", REFUSED, "it changes the base model's weights"},
    {"monteclora_config", REFUSED, "it changes B A by what it samples"},
    {"velora_config", REFUSED, "its file holds more than A and B"},
    {"ensure_weight_tying", REFUSED, "it changes embeddings and head together"},
};

/* Not null, false or empty. */
static bool is_set(const json_t *v)
{
    return v != NULL && !json_is_null(v) && !json_is_false(v) &&
           !(json_is_string(v) && json_string_length(v) == 0) &&
           !(json_is_array(v) && json_array_size(v) == 0) &&
           !(json_is_object(v) && json_object_size(v) == 0);
}

static const key_row *find_key(const char *key)
{
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(keys[i].key, key) == 0) {
            return &keys[i];
        }
    }
    return NULL;
}

static mdf_status check_keys(const mdf_lora_config *c, mdf_error *err)
{
    for (void *it = json_object_iter(c->root); it != NULL;
         it = json_object_iter_next(c->root, it)) {
        const char *key = json_object_iter_key(it);
        const key_row *row = find_key(key);
        if (!is_set(json_object_iter_value(it)) || (row != NULL && row->kind != REFUSED)) {
            continue;
        }
        if (row == NULL) {
            return mdf_fail(err, MDF_ERR_ARG,
                            "%s: %.120s is not known; the adapter may mean something else by it",
                            c->path, key);
        }
        return mdf_fail(err, MDF_ERR_ARG, "%s: %s is not supported: %s", c->path, key, row->why);
    }
    return MDF_OK;
}

/* How the matrices were before training matters where the base model was changed with it: PEFT
 * takes the first B A out of W whenever it loads such an adapter. */
static mdf_status check_start(const mdf_lora_config *c, mdf_error *err)
{
    static const char *const harmless[] = {"gaussian", "eva", "orthogonal", "mica"};
    static const char *const moved[] = {"pissa", "olora", "corda", "lora_ga"};
    const json_t *v = json_object_get(c->root, "init_lora_weights");
    const char *how = json_string_value(v);
    if (!is_set(v) || json_is_true(v)) {
        return MDF_OK;
    }
    if (how == NULL) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: init_lora_weights is no text", c->path);
    }
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++) {
        if (strcmp(how, harmless[i]) == 0) {
            return MDF_OK;
        }
    }
    for (size_t i = 0; i < sizeof moved / sizeof moved[0]; i++) {
        if (strncmp(how, moved[i], strlen(moved[i])) == 0) {
            return mdf_fail(err, MDF_ERR_ARG,
                            "%s: init_lora_weights \"%.40s\" is not supported: the adapter belongs "
                            "to a base model that was changed with it; save it with PEFT's "
                            "path_initial_model_for_weight_conversion",
                            c->path, how);
        }
    }
    return mdf_fail(err, MDF_ERR_ARG,
                    "%s: init_lora_weights \"%.40s\" is not supported: the adapter may belong to a "
                    "base model that was changed with it; merge it with PEFT",
                    c->path, how);
}

static mdf_status check_kind(const mdf_lora_config *c, mdf_error *err)
{
    const char *type = json_string_value(json_object_get(c->root, "peft_type"));
    const json_t *bias = json_object_get(c->root, "bias");
    if (type == NULL || strcmp(type, "LORA") != 0) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: peft_type must be \"LORA\"", c->path);
    }
    MDF_TRY(check_keys(c, err));
    if (is_set(bias) && (!json_is_string(bias) || strcmp(json_string_value(bias), "none") != 0)) {
        return mdf_fail(err, MDF_ERR_ARG, "%s: bias must be \"none\"", c->path);
    }
    return check_start(c, err);
}

static bool is_positive(const json_t *v)
{
    return json_is_number(v) && json_number_value(v) > 0 && json_number_value(v) <= 1e6;
}

static mdf_status positive(const mdf_lora_config *c, const char *key, double *out, mdf_error *err)
{
    const json_t *v = json_object_get(c->root, key);
    if (!is_positive(v)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: %s must be a number above 0", c->path, key);
    }
    *out = json_number_value(v);
    return MDF_OK;
}

static mdf_status read_switch(const mdf_lora_config *c, const char *key, bool *out, mdf_error *err)
{
    const json_t *v = json_object_get(c->root, key);
    if (is_set(v) && !json_is_true(v)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: %s must be true or false", c->path, key);
    }
    *out = json_is_true(v);
    return MDF_OK;
}

static mdf_status read_map(const mdf_lora_config *c, const char *setting, mdf_module_map **out,
                           mdf_error *err)
{
    json_t *map = json_object_get(c->root, setting);
    if (is_set(map) && !json_is_object(map)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: %s is not an object {...}", c->path, setting);
    }
    MDF_TRY(mdf_module_map_new(out, c->path, setting, err));
    for (void *it = json_object_iter(map); it != NULL; it = json_object_iter_next(map, it)) {
        const char *key = json_object_iter_key(it);
        const json_t *v = json_object_iter_value(it);
        if (!is_positive(v)) {
            return mdf_fail(err, MDF_ERR_FORMAT, "%s: %s: \"%.120s\" must be a number above 0",
                            c->path, setting, key);
        }
        MDF_TRY(mdf_module_map_add(*out, key, json_number_value(v), err));
    }
    return MDF_OK;
}

mdf_status mdf_lora_config_read(mdf_lora_config *c, const char *bytes, size_t len, const char *path,
                                mdf_error *err)
{
    json_error_t where = {0};
    *c = (mdf_lora_config){.path = path};
    c->root = mdf_json_load(bytes, len, JSON_REJECT_DUPLICATES, &where);
    if (c->root == NULL) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: not valid JSON: line %d: %s", path, where.line,
                        where.text);
    }
    MDF_TRY(check_kind(c, err));
    MDF_TRY(positive(c, "r", &c->r, err));
    MDF_TRY(positive(c, "lora_alpha", &c->alpha, err));
    MDF_TRY(read_switch(c, "use_rslora", &c->rslora, err));
    MDF_TRY(read_map(c, "rank_pattern", &c->ranks, err));
    return read_map(c, "alpha_pattern", &c->alphas, err);
}

void mdf_lora_config_free(mdf_lora_config *c)
{
    mdf_module_map_free(c->ranks);
    mdf_module_map_free(c->alphas);
    json_decref(c->root);
    *c = (mdf_lora_config){0};
}

mdf_status mdf_lora_config_scale(const mdf_lora_config *c, const char *module, int64_t r,
                                 double *scale, mdf_error *err)
{
    double wanted = c->r;
    double alpha = c->alpha;
    MDF_TRY(mdf_module_map_find(c->ranks, module, &wanted, err));
    MDF_TRY(mdf_module_map_find(c->alphas, module, &alpha, err));
    if ((double)r != wanted) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s: %.120s has rank %lld in the weights, but %g in the settings", c->path,
                        module, (long long)r, wanted);
    }
    *scale = c->rslora ? alpha / sqrt((double)r) : alpha / (double)r;
    return MDF_OK;
}

mdf_status mdf_lora_config_check_used(const mdf_lora_config *c, mdf_error *err)
{
    MDF_TRY(mdf_module_map_check_used(c->ranks, err));
    return mdf_module_map_check_used(c->alphas, err);
}
