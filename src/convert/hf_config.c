/* A model as transformers wants it: config.json and tensor names. */
#include "convert/hf_config.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *ours, *vision_model, *text_model; /* prefixes; NULL: not there */
} prefixes[] = {
    {"model.language_model.", "language_model.model.", "model."},
    {"lm_head.", "language_model.lm_head.", "lm_head."},
    {"model.vision_model.", "vision_model.", NULL},
    {"model.multi_modal_projector.", "multi_modal_projector.", NULL},
};

bool mdf_hf_name(const mdf_config *c, const char *name, char out[MDF_WEIGHT_NAME])
{
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        const size_t n = strlen(prefixes[i].ours);
        const char *prefix =
            mdf_config_has_vision(c) ? prefixes[i].vision_model : prefixes[i].text_model;
        if (prefix != NULL && strncmp(name, prefixes[i].ours, n) == 0) {
            const int len = snprintf(out, MDF_WEIGHT_NAME, "%s%s", prefix, name + n);
            return len > 0 && len < MDF_WEIGHT_NAME;
        }
    }
    return false;
}

static json_t *ints(const int *item, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        (void)json_array_append_new(list, json_integer(item[i]));
    }
    return list;
}

/* transformers 4 wants an object for Llama 3.2 Vision even where nothing is stretched. */
static json_t *scaling(const mdf_rope_scaling *s)
{
    if (!s->enabled) {
        return json_pack("{s:s}", "rope_type", "default");
    }
    return json_pack("{s:s, s:f, s:f, s:f, s:i}", "rope_type", "llama3", "factor", s->factor,
                     "low_freq_factor", s->low_freq_factor, "high_freq_factor", s->high_freq_factor,
                     "original_max_position_embeddings", s->original_max_position_embeddings);
}

static json_t *text_config(const mdf_config *c)
{
    const mdf_text_config *t = &c->text;
    json_t *eos =
        t->eos_count == 1 ? json_integer(t->eos_token_id[0]) : ints(t->eos_token_id, t->eos_count);
    return json_pack(
        "{s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:f, s:o, s:f, s:i, s:b, s:i, s:o, s:i, s:f, s:b}",
        "vocab_size", t->vocab_size, "hidden_size", t->hidden_size, "intermediate_size",
        t->intermediate_size, "num_hidden_layers", t->num_hidden_layers, "num_attention_heads",
        t->num_attention_heads, "num_key_value_heads", t->num_key_value_heads, "hidden_act", "silu",
        "rope_theta", t->rope_theta, "rope_scaling", scaling(&t->rope_scaling), "rms_norm_eps",
        t->rms_norm_eps, "max_position_embeddings", t->max_position_embeddings,
        "tie_word_embeddings", (int)t->tie_word_embeddings, "bos_token_id", t->bos_token_id,
        "eos_token_id", eos, "pad_token_id", t->pad_token_id, "initializer_range",
        t->initializer_range, "use_cache", 1);
}

static json_t *ratios(int tiles)
{
    json_t *list = json_array();
    for (int h = 1; h <= tiles; h++) {
        for (int w = 1; h * w <= tiles; w++) {
            (void)json_array_append_new(list, json_pack("[i, i]", h, w));
        }
    }
    return list;
}

static json_t *vision_config(const mdf_config *c)
{
    const mdf_vision_config *v = &c->vision;
    return json_pack(
        "{s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:f, s:f, s:i, s:o, "
        "s:o}",
        "model_type", "mllama_vision_model", "hidden_size", v->hidden_size, "intermediate_size",
        v->intermediate_size, "num_hidden_layers", v->num_hidden_layers, "num_global_layers",
        v->num_global_layers, "attention_heads", v->attention_heads, "image_size", v->image_size,
        "patch_size", v->patch_size, "num_channels", v->num_channels, "max_num_tiles",
        v->max_num_tiles, "hidden_act", "gelu", "norm_eps", v->norm_eps, "initializer_range",
        v->initializer_range, "vision_output_dim", mdf_config_vision_output(c),
        "intermediate_layers_indices", ints(v->intermediate_layers_indices, v->intermediate_count),
        "supported_aspect_ratios", ratios(v->max_num_tiles));
}

static json_t *document(const mdf_config *c)
{
    json_t *text = text_config(c);
    if (!mdf_config_has_vision(c)) {
        (void)json_object_set_new(text, "architectures", json_pack("[s]", "LlamaForCausalLM"));
        (void)json_object_set_new(text, "model_type", json_string("llama"));
        (void)json_object_set_new(text, "attention_bias", json_false());
        (void)json_object_set_new(text, "mlp_bias", json_false());
        return text;
    }
    (void)json_object_set_new(text, "model_type", json_string("mllama_text_model"));
    (void)json_object_set_new(text, "tie_word_embeddings", json_false()); /* see model_rewrite.c */
    (void)json_object_set_new(text, "cross_attention_layers",
                              ints(c->text.cross_attention_layers, c->text.cross_count));
    return json_pack("{s:[s], s:s, s:i, s:o, s:o}", "architectures",
                     "MllamaForConditionalGeneration", "model_type", "mllama", "image_token_index",
                     c->image_token_index, "text_config", text, "vision_config", vision_config(c));
}

static int append(const char *bytes, size_t n, void *user)
{
    mdf_strbuf *text = user;
    mdf_strbuf_add(text, bytes, n);
    return text->failed ? -1 : 0;
}

mdf_status mdf_hf_config_put(const mdf_config *c, mdf_model_folder *f, mdf_error *err)
{
    json_t *doc = document(c);
    mdf_strbuf text = mdf_strbuf_new(MDF_MAX_CONFIG_BYTES);
    const bool made =
        doc != NULL && json_dump_callback(doc, append, &text, JSON_INDENT(2) | JSON_SORT_KEYS) == 0;
    const mdf_status status = made
                                  ? mdf_model_folder_put(f, "config.json", text.data, text.len, err)
                                  : mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", f->dir);
    mdf_strbuf_free(&text);
    json_decref(doc);
    return status;
}
