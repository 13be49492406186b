/* What is particular to the config.json of Hugging Face's models. */
#include "config/config_hf.h"

#include <jansson.h>
#include <string.h>

mdf_status mdf_config_kind_of(mdf_config_kind *kind, const struct json_t *root, mdf_error *err)
{
    static const char *const name[] = {"mdf_mllm", "mllama", "llama"}; /* in the enum's order */
    const char *type = json_string_value(json_object_get(root, "model_type"));
    *kind = MDF_CONFIG_OURS;
    for (int i = 0; type != NULL && i < 3; i++) {
        if (strcmp(type, name[i]) == 0) {
            *kind = (mdf_config_kind)i;
            return MDF_OK;
        }
    }
    return type == NULL ? MDF_OK
                        : mdf_fail(err, MDF_ERR_ARG,
                                   "model_type is \"%.60s\", another architecture: mllama and "
                                   "llama are read, and this project's own, mdf_mllm",
                                   type);
}

void mdf_config_hf_defaults(mdf_config *c, mdf_config_kind kind)
{
    c->tokenizer = MDF_TOKENIZER_BPE;
    c->fusion.map_count = 0;
    memset(c->fusion.map, 0, sizeof c->fusion.map);
    c->text.cross_count = 0;
    c->text.rope_theta = kind == MDF_CONFIG_LLAMA ? 10000.0 : 500000.0;
    c->text.bos_token_id = kind == MDF_CONFIG_LLAMA ? 1 : 128000;
    c->text.eos_token_id[0] = kind == MDF_CONFIG_LLAMA ? 2 : 128001;
    c->text.eos_count = 1;
    c->text.pad_token_id = kind == MDF_CONFIG_LLAMA ? 0 : 128004;
    c->text.rms_norm_eps = kind == MDF_CONFIG_LLAMA ? 1e-6 : 1e-5;
    c->text.max_position_embeddings = kind == MDF_CONFIG_LLAMA ? 2048 : 131072;
}

/* Settings of generation, training, tasks and bookkeeping that transformers writes into every
 * config, and those by which its Llama classes choose between equal computations. */
static const char *const harmless[] = {
    "_attn_implementation_autoset",
    "_commit_hash",
    "_name_or_path",
    "add_cross_attention",
    "architectures",
    "attention_dropout",
    "attn_implementation",
    "bad_words_ids",
    "begin_suppress_tokens",
    "bos_token_id",
    "chunk_size_feed_forward",
    "cross_attention_hidden_size",
    "decoder_start_token_id",
    "diversity_penalty",
    "do_sample",
    "dropout",
    "dtype",
    "early_stopping",
    "encoder_no_repeat_ngram_size",
    "eos_token_id",
    "exponential_decay_length_penalty",
    "finetuning_task",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "id2label",
    "is_decoder",
    "is_encoder_decoder",
    "is_llama_config",
    "label2id",
    "length_penalty",
    "max_length",
    "min_length",
    "no_repeat_ngram_size",
    "num_beam_groups",
    "num_beams",
    "num_return_sequences",
    "output_attentions",
    "output_hidden_states",
    "output_scores",
    "pad_token_id",
    "prefix",
    "pretraining_tp",
    "problem_type",
    "pruned_heads",
    "remove_invalid_values",
    "repetition_penalty",
    "return_dict",
    "return_dict_in_generate",
    "sep_token_id",
    "suppress_tokens",
    "task_specific_params",
    "temperature",
    "tf_legacy_loss",
    "tie_encoder_decoder",
    "tie_word_embeddings",
    "tokenizer_class",
    "top_k",
    "top_p",
    "torch_dtype",
    "torchscript",
    "transformers.js_config",
    "transformers_version",
    "typical_p",
    "unsloth_fixed",
    "unsloth_version",
    "use_bfloat16",
    "use_cache",
};

bool mdf_config_hf_harmless(const char *key)
{
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++) {
        if (strcmp(harmless[i], key) == 0) {
            return true;
        }
    }
    return false;
}

struct json_t *mdf_config_wrap_llama(struct json_t *root)
{
    json_t *text = json_copy(root);
    json_t *out = json_object();
    int failed = text == NULL || out == NULL;
    failed = failed || json_object_set_new(text, "model_type", json_string("mllama_text_model"));
    failed = failed || json_object_set_new(text, "cross_attention_layers", json_array());
    failed = failed || json_object_set_new(out, "model_type", json_string("mllama"));
    if (!failed && json_object_get(root, "quantization_config") != NULL) {
        failed = json_object_set(out, "quantization_config",
                                 json_object_get(root, "quantization_config")) != 0 ||
                 json_object_del(text, "quantization_config") != 0;
    }
    failed = failed || json_object_set(out, "text_config", text) != 0;
    json_decref(text);
    if (failed) {
        json_decref(out);
        return NULL;
    }
    return out;
}

/* Defaults of transformers' classes (4.45 to 5) that its files may lack, as JSON. Others are the
 * schema's or those of mdf_config_hf_defaults(). */
static const struct {
    const char *section, *key, *mllama, *llama; /* NULL: no such key */
} left_out[] = {
    {"text_config", "vocab_size", "128256", "32000"},
    {"text_config", "hidden_size", "4096", "4096"},
    {"text_config", "num_hidden_layers", "40", "32"},
    {"text_config", "num_attention_heads", "32", "32"},
    {"text_config", "num_key_value_heads", "8", NULL}, /* Llama: as many as heads */
    {"text_config", "intermediate_size", "14336", "11008"},
    {"text_config", "cross_attention_layers", "[3, 8, 13, 18, 23, 28, 33, 38]", NULL},
    {"vision_config", "hidden_size", "1280", NULL},
    {"vision_config", "num_hidden_layers", "32", NULL},
    {"vision_config", "num_global_layers", "8", NULL},
    {"vision_config", "attention_heads", "16", NULL},
    {"vision_config", "intermediate_size", "5120", NULL},
    {"vision_config", "image_size", "448", NULL},
    {"vision_config", "patch_size", "14", NULL},
    {"vision_config", "intermediate_layers_indices", "[3, 7, 15, 23, 30]", NULL},
};

static bool is_absent(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    return v == NULL || json_is_null(v);
}

/* The section, made if it is not there; NULL: it is something else than an object. */
static json_t *section_of(json_t *root, const char *name)
{
    if (is_absent(root, name)) {
        (void)json_object_set_new(root, name, json_object());
    }
    json_t *section = json_object_get(root, name);
    return json_is_object(section) ? section : NULL; /* told later */
}

mdf_status mdf_config_hf_complete(struct json_t *root, mdf_config_kind kind, mdf_error *err)
{
    json_t *text = section_of(root, "text_config");
    const json_t *cross = json_object_get(text, "cross_attention_layers");
    const bool blind = json_is_array(cross) && json_array_size(cross) == 0 &&
                       is_absent(root, "vision_config"); /* a text model alone */
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof left_out / sizeof left_out[0]; i++) {
        const char *value = kind == MDF_CONFIG_LLAMA ? left_out[i].llama : left_out[i].mllama;
        const bool skip =
            value == NULL || (blind && strcmp(left_out[i].section, "text_config") != 0);
        json_t *section = skip ? NULL : section_of(root, left_out[i].section);
        if (section != NULL && is_absent(section, left_out[i].key)) {
            ok = json_object_set_new(section, left_out[i].key,
                                     json_loads(value, JSON_DECODE_ANY, NULL)) == 0;
        }
    }
    if (ok && text != NULL && is_absent(text, "num_key_value_heads")) {
        ok = json_object_set(text, "num_key_value_heads",
                             json_object_get(text, "num_attention_heads")) == 0;
    }
    if (ok && is_absent(root, "image_token_index")) {
        ok = json_object_set_new(root, "image_token_index",
                                 kind == MDF_CONFIG_MLLAMA
                                     ? json_integer(128256)
                                     : json_incref(json_object_get(text, "vocab_size"))) == 0;
    }
    return ok ? MDF_OK : mdf_fail(err, MDF_ERR_NOMEM, "out of memory for the configuration");
}

/* Biases and other heads are switched on by these. */
static mdf_status check_switches(const json_t *text, mdf_error *err)
{
    static const char *const off[] = {"attention_bias", "mlp_bias", "rope_interleaved"};
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++) {
        const json_t *v = json_object_get(text, off[i]);
        if (v != NULL && !json_is_null(v) && !json_is_false(v)) {
            return mdf_fail(err, MDF_ERR_ARG, "text_config.%s must be false", off[i]);
        }
    }
    return MDF_OK;
}

mdf_status mdf_config_hf_check(const mdf_config *c, const struct json_t *root, mdf_error *err)
{
    const json_t *text = json_object_get(root, "text_config");
    const json_t *head = json_object_get(text, "head_dim");
    const int wanted = c->text.hidden_size / c->text.num_attention_heads;
    if (json_is_object(json_object_get(root, "quantization_config"))) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "quantization_config: these weights were quantised by another program; "
                        "take the model's bf16 files");
    }
    if (head != NULL && !json_is_null(head) &&
        (!json_is_integer(head) || json_integer_value(head) != wanted)) {
        return mdf_fail(err, MDF_ERR_ARG,
                        "text_config.head_dim must be hidden_size / num_attention_heads = %d",
                        wanted);
    }
    return check_switches(text, err);
}
