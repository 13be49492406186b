/* Settings of a Llama model in a GGUF file: "llama.block_count" and the like. */
#include "weights/gguf_config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY = 96 };

typedef struct source {
    const mdf_gguf_files *files;
    const char *architecture;
    mdf_error *err;
} source;

/* The value of "<architecture>.<name>", or of name if it has no architecture; key gets its name. */
static const mdf_gguf_value *value_of(const source *s, const char *name, char key[KEY],
                                      const char **path)
{
    const mdf_gguf *file = &s->files->file[0];
    const bool global = strncmp(name, "tokenizer.", 10) == 0;
    (void)snprintf(key, KEY, "%s%s%s", global ? "" : s->architecture, global ? "" : ".", name);
    const mdf_gguf_value *v = mdf_gguf_files_value(s->files, key, &file);
    *path = file->path;
    return v;
}

/* A whole number of at least 0. fallback -1: it must be there. An array of layers must say the same
 * for all. */
static mdf_status read_int(const source *s, const char *name, int fallback, int *out)
{
    char key[KEY];
    const char *path = NULL;
    const mdf_gguf_value *v = value_of(s, name, key, &path);
    if (v == NULL && fallback >= 0) {
        *out = fallback;
        return MDF_OK;
    }
    if (v == NULL) {
        return mdf_fail(s->err, MDF_ERR_FORMAT, "%s: \"%s\" is missing", path, key);
    }
    int64_t first = -1;
    for (size_t i = 0; i < v->count || i == 0; i++) {
        int64_t x = -1;
        if (!mdf_gguf_integer(v, i, &x) || x < 0 || x > INT_MAX) {
            return mdf_fail(s->err, MDF_ERR_FORMAT, "%s: \"%s\" is not a whole number from 0 to %d",
                            path, key, INT_MAX);
        }
        if (i > 0 && x != first) {
            return mdf_fail(s->err, MDF_ERR_FORMAT,
                            "%s: \"%s\" differs between layers, which is not supported", path, key);
        }
        first = x;
    }
    *out = (int)first;
    return MDF_OK;
}

/* A size of the model: at least 1. */
static mdf_status read_size(const source *s, const char *name, int *out)
{
    MDF_TRY(read_int(s, name, -1, out));
    return *out > 0 ? MDF_OK
                    : mdf_fail(s->err, MDF_ERR_FORMAT, "%s: \"%s.%s\" is 0", s->files->file[0].path,
                               s->architecture, name);
}

/* Files have single precision: the shortest decimal number that is the same float, 1e-05 and not
 * 9.9999997e-06. */
static double as_written(double x)
{
    for (int digits = 1; digits < 9; digits++) {
        char text[32];
        (void)snprintf(text, sizeof text, "%.*g", digits, x);
        const double y = strtod(text, NULL);
        if ((float)y == (float)x) {
            return y;
        }
    }
    return x;
}

static mdf_status read_positive(const source *s, const char *name, double fallback, double *out)
{
    char key[KEY];
    const char *path = NULL;
    const mdf_gguf_value *v = value_of(s, name, key, &path);
    *out = fallback;
    if (v == NULL && fallback > 0) {
        return MDF_OK;
    }
    if (v == NULL) {
        return mdf_fail(s->err, MDF_ERR_FORMAT, "%s: \"%s\" is missing", path, key);
    }
    if (v->is_array || !mdf_gguf_number(v, 0, out) || !(*out > 0) || *out > 1e12) {
        return mdf_fail(s->err, MDF_ERR_FORMAT, "%s: \"%s\" is not a positive number", path, key);
    }
    *out = v->type == MDF_GGUF_F32 ? as_written(*out) : *out;
    return MDF_OK;
}

/* A list of whole numbers, out [most]. */
static mdf_status read_list(const source *s, const char *name, int most, int *out, int *count)
{
    char key[KEY];
    const char *path = NULL;
    const mdf_gguf_value *v = value_of(s, name, key, &path);
    *count = 0;
    if (v == NULL) {
        return mdf_fail(s->err, MDF_ERR_FORMAT, "%s: \"%s\" is missing", path, key);
    }
    if (v->count > (size_t)most) {
        return mdf_fail(s->err, MDF_ERR_LIMIT, "%s: \"%s\" has %zu items, more than %d", path, key,
                        v->count, most);
    }
    for (size_t i = 0; i < v->count; i++) {
        int64_t x = 0;
        if (!mdf_gguf_integer(v, i, &x) || x < 0 || x > MDF_MAX_LAYERS) {
            return mdf_fail(s->err, MDF_ERR_FORMAT, "%s: \"%s\": item %zu is no layer", path, key,
                            i);
        }
        out[(*count)++] = (int)x;
    }
    return MDF_OK;
}

/* Adapters and tables of importance have the architecture of their model, but not its weights. */
static mdf_status check_purpose(const mdf_gguf *file, mdf_error *err)
{
    static const char *const models[] = {"model", "mmproj"};
    const mdf_gguf_value *v = mdf_gguf_value_of(file, "general.type");
    mdf_gguf_string type = {"", 0};
    if (v == NULL) {
        return MDF_OK;
    }
    if (!mdf_gguf_text(v, &type)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: \"general.type\" is not a text", file->path);
    }
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        if (type.len == strlen(models[i]) && memcmp(type.text, models[i], type.len) == 0) {
            return MDF_OK;
        }
    }
    if (type.len == 7 && memcmp(type.text, "adapter", 7) == 0) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s is an adapter, not a model: adapters are read from PEFT's folders only",
                        file->path);
    }
    return mdf_fail(err, MDF_ERR_FORMAT, "%s is no model: its \"general.type\" is \"%.*s\"",
                    file->path, type.len < 60 ? (int)type.len : 60, type.text);
}

mdf_status mdf_gguf_architecture(const mdf_gguf_files *f, bool *vision, mdf_error *err)
{
    for (size_t i = 0; i < f->files; i++) {
        MDF_TRY(check_purpose(&f->file[i], err));
    }
    const mdf_gguf_value *v = mdf_gguf_files_value(f, "general.architecture", NULL);
    mdf_gguf_string name = {"", 0};
    if (v == NULL || !mdf_gguf_text(v, &name)) {
        return mdf_fail(err, MDF_ERR_FORMAT, "%s: \"general.architecture\" is missing",
                        f->file[0].path);
    }
    *vision = name.len == 6 && memcmp(name.text, "mllama", 6) == 0;
    if (!*vision && (name.len != 5 || memcmp(name.text, "llama", 5) != 0)) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s: models of the architecture \"%.*s\" are not supported, only llama and "
                        "mllama",
                        f->file[0].path, name.len < 60 ? (int)name.len : 60, name.text);
    }
    return MDF_OK;
}

/* What other models of the same architecture name have. */
static mdf_status check_kind(const source *s, const mdf_text_config *c)
{
    static const char *const zero[] = {"expert_count"};
    static const char *const head[] = {"attention.key_length", "attention.value_length",
                                       "rope.dimension_count"};
    const char *path = s->files->file[0].path;
    const int width = c->hidden_size / c->num_attention_heads;
    for (size_t i = 0; i < sizeof zero / sizeof zero[0]; i++) {
        int x = 0;
        MDF_TRY(read_int(s, zero[i], 0, &x));
        if (x != 0) {
            return mdf_fail(s->err, MDF_ERR_FORMAT, "%s: \"%s.%s\" = %d is not supported", path,
                            s->architecture, zero[i], x);
        }
    }
    for (size_t i = 0; i < sizeof head / sizeof head[0]; i++) {
        int x = 0;
        MDF_TRY(read_int(s, head[i], width, &x));
        if (x != width) {
            return mdf_fail(s->err, MDF_ERR_FORMAT,
                            "%s: \"%s.%s\" = %d is not supported: it must be embedding_length / "
                            "attention.head_count = %d",
                            path, s->architecture, head[i], x, width);
        }
    }
    return MDF_OK;
}

/* Llama 3's rule is a tensor of its own; of the others only a linear one that changes nothing is
 * left. Without a type a factor counts as linear. */
static mdf_status check_scaling(const source *s)
{
    static const char *const factors[] = {"rope.scaling.factor", "rope.scale_linear"};
    char key[KEY];
    const char *path = NULL;
    const mdf_gguf_value *v = value_of(s, "rope.scaling.type", key, &path);
    mdf_gguf_string type = {"linear", 6};
    if (v != NULL && !mdf_gguf_text(v, &type)) {
        return mdf_fail(s->err, MDF_ERR_FORMAT, "%s: \"%s\" is not a text", path, key);
    }
    if (type.len == 4 && memcmp(type.text, "none", 4) == 0) {
        return MDF_OK;
    }
    if (type.len != 6 || memcmp(type.text, "linear", 6) != 0) {
        return mdf_fail(s->err, MDF_ERR_FORMAT,
                        "%s: \"%s\" = \"%.*s\" is not supported, only Llama 3's rope_freqs.weight",
                        path, key, type.len < 60 ? (int)type.len : 60, type.text);
    }
    for (size_t i = 0; i < sizeof factors / sizeof factors[0]; i++) {
        double x = 1;
        MDF_TRY(read_positive(s, factors[i], 1, &x));
        if (x != 1) {
            (void)value_of(s, factors[i], key, &path);
            return mdf_fail(s->err, MDF_ERR_FORMAT,
                            "%s: \"%s\" = %g is not supported: positions may not be stretched",
                            path, key, x);
        }
    }
    return MDF_OK;
}

static mdf_status read_ids(const source *s, mdf_text_config *c)
{
    static const char *const ends[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                       "tokenizer.ggml.eom_token_id"};
    MDF_TRY(read_int(s, "tokenizer.ggml.bos_token_id", 1, &c->bos_token_id));
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        int id = 0;
        MDF_TRY(read_int(s, ends[i], i == 0 ? 2 : c->eos_token_id[0], &id));
        bool known = false;
        for (int k = 0; k < c->eos_count; k++) {
            known = known || c->eos_token_id[k] == id;
        }
        if (!known) {
            c->eos_token_id[c->eos_count++] = id;
        }
    }
    return read_int(s, "tokenizer.ggml.padding_token_id", c->eos_token_id[0], &c->pad_token_id);
}

/* The vocabulary is what the model gives probabilities to. */
static mdf_status read_vocabulary(const source *s, mdf_text_config *c)
{
    const char *path = s->files->file[0].path;
    const mdf_gguf_tensor *out = mdf_gguf_files_tensor(s->files, "output.weight", NULL);
    c->tie_word_embeddings = out == NULL;
    out = out != NULL ? out : mdf_gguf_files_tensor(s->files, "token_embd.weight", NULL);
    if (out == NULL || out->rank != 2 || out->dim[0] > INT_MAX - 8) {
        return mdf_fail(s->err, MDF_ERR_FORMAT,
                        "%s: tensor \"token_embd.weight\" is missing or no matrix", path);
    }
    c->vocab_size = (int)out->dim[0];
    return MDF_OK;
}

mdf_status mdf_gguf_text_config(mdf_text_config *c, const mdf_gguf_files *f, bool vision,
                                mdf_error *err)
{
    const source s = {f, vision ? "mllama" : "llama", err};
    *c = (mdf_text_config){.initializer_range = 0.02};
    MDF_TRY(read_size(&s, "block_count", &c->num_hidden_layers));
    MDF_TRY(read_size(&s, "embedding_length", &c->hidden_size));
    MDF_TRY(read_size(&s, "feed_forward_length", &c->intermediate_size));
    MDF_TRY(read_size(&s, "attention.head_count", &c->num_attention_heads));
    MDF_TRY(
        read_int(&s, "attention.head_count_kv", c->num_attention_heads, &c->num_key_value_heads));
    MDF_TRY(read_int(&s, "context_length", 2048, &c->max_position_embeddings));
    MDF_TRY(read_positive(&s, "attention.layer_norm_rms_epsilon", 0, &c->rms_norm_eps));
    MDF_TRY(read_positive(&s, "rope.freq_base", 10000, &c->rope_theta));
    if (c->num_hidden_layers > MDF_MAX_LAYERS) {
        return mdf_fail(err, MDF_ERR_LIMIT, "%s: %d layers, more than %d", f->file[0].path,
                        c->num_hidden_layers, MDF_MAX_LAYERS);
    }
    if (vision) {
        MDF_TRY(read_list(&s, "attention.cross_attention_layers", MDF_MAX_LAYERS,
                          c->cross_attention_layers, &c->cross_count));
    }
    MDF_TRY(check_kind(&s, c));
    MDF_TRY(check_scaling(&s));
    MDF_TRY(read_ids(&s, c));
    MDF_TRY(read_vocabulary(&s, c));
    return mdf_gguf_rope_scaling(c, f, vision, err);
}

mdf_status mdf_gguf_vision_config(mdf_vision_config *c, const mdf_gguf_files *f, mdf_error *err)
{
    const source s = {f, "mllama", err};
    *c = (mdf_vision_config){.initializer_range = 0.02};
    MDF_TRY(read_size(&s, "vision.block_count", &c->num_hidden_layers));
    MDF_TRY(read_size(&s, "vision.global.block_count", &c->num_global_layers));
    MDF_TRY(read_size(&s, "vision.embedding_length", &c->hidden_size));
    MDF_TRY(read_size(&s, "vision.feed_forward_length", &c->intermediate_size));
    MDF_TRY(read_size(&s, "vision.attention.head_count", &c->attention_heads));
    MDF_TRY(read_size(&s, "vision.image_size", &c->image_size));
    MDF_TRY(read_size(&s, "vision.patch_size", &c->patch_size));
    MDF_TRY(read_int(&s, "vision.num_channels", 3, &c->num_channels));
    MDF_TRY(read_size(&s, "vision.max_num_tiles", &c->max_num_tiles));
    MDF_TRY(read_positive(&s, "vision.attention.layer_norm_epsilon", 1e-5, &c->norm_eps));
    return read_list(&s, "vision.intermediate_layers_indices", MDF_MAX_INTERMEDIATE,
                     c->intermediate_layers_indices, &c->intermediate_count);
}
