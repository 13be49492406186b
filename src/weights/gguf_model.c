/* Names of llama.cpp and ollama -> names of Hugging Face: tables, and the few tensors whose numbers
 * differ. */
#include "weights/gguf_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/gguf_config.h"

enum { NAME = 160 };

/* What has to be done with a tensor. */
typedef enum treatment {
    AS_IT_IS,
    ROWS_Q, /* rows of as many heads as queries have */
    ROWS_K, /* as keys have */
    ROWS_V, /* as the vision tower has */
    ATANH,
    ATANH_REST, /* holds 1 - tanh */
    DROP        /* only read for the settings */
} treatment;

typedef struct rule {
    const char *from, *to;
    treatment treat;
} rule;

#define TEXT   "model.language_model."
#define VISION "model.vision_model."

static const rule whole[] = {
    {"token_embd.weight", TEXT "embed_tokens.weight", AS_IT_IS},
    {"output_norm.weight", TEXT "norm.weight", AS_IT_IS},
    {"output.weight", "lm_head.weight", AS_IT_IS},
    {"rope_freqs.weight", "", DROP},
    {"v.class_embd", VISION "class_embedding", AS_IT_IS},
    {"v.patch_embd.weight", VISION "patch_embedding.weight", AS_IT_IS},
    {"v.position_embd.weight", VISION "gated_positional_embedding.embedding", AS_IT_IS},
    {"v.position_embd.gate", VISION "gated_positional_embedding.gate", ATANH_REST},
    {"v.tile_position_embd.weight", VISION "gated_positional_embedding.tile_embedding.weight",
     AS_IT_IS},
    {"v.tile_position_embd.gate", VISION "gated_positional_embedding.gate", ATANH},
    {"v.pre_tile_position_embd.weight", VISION "pre_tile_positional_embedding.embedding.weight",
     AS_IT_IS},
    {"v.pre_tile_position_embd.gate", VISION "pre_tile_positional_embedding.gate", ATANH},
    {"v.post_tile_position_embd.weight", VISION "post_tile_positional_embedding.embedding.weight",
     AS_IT_IS},
    {"v.post_tile_position_embd.gate", VISION "post_tile_positional_embedding.gate", ATANH},
    {"v.pre_ln.weight", VISION "layernorm_pre.weight", AS_IT_IS},
    {"v.pre_ln.bias", VISION "layernorm_pre.bias", AS_IT_IS},
    {"v.post_ln.weight", VISION "layernorm_post.weight", AS_IT_IS},
    {"v.post_ln.bias", VISION "layernorm_post.bias", AS_IT_IS},
    {"mm.0.weight", "model.multi_modal_projector.weight", AS_IT_IS},
    {"mm.0.bias", "model.multi_modal_projector.bias", AS_IT_IS},
};

static const rule in_text[] = {
    {"attn_norm.weight", "input_layernorm.weight", AS_IT_IS},
    {"attn_q.weight", "self_attn.q_proj.weight", ROWS_Q},
    {"attn_k.weight", "self_attn.k_proj.weight", ROWS_K},
    {"attn_v.weight", "self_attn.v_proj.weight", AS_IT_IS},
    {"attn_output.weight", "self_attn.o_proj.weight", AS_IT_IS},
    {"ffn_norm.weight", "post_attention_layernorm.weight", AS_IT_IS},
    {"ffn_gate.weight", "mlp.gate_proj.weight", AS_IT_IS},
    {"ffn_up.weight", "mlp.up_proj.weight", AS_IT_IS},
    {"ffn_down.weight", "mlp.down_proj.weight", AS_IT_IS},
    {"cross_attn_q_proj.weight", "cross_attn.q_proj.weight", ROWS_Q},
    {"cross_attn_k_proj.weight", "cross_attn.k_proj.weight", ROWS_K},
    {"cross_attn_v_proj.weight", "cross_attn.v_proj.weight", AS_IT_IS},
    {"cross_attn_o_proj.weight", "cross_attn.o_proj.weight", AS_IT_IS},
    {"cross_attn_q_norm.weight", "cross_attn.q_norm.weight", AS_IT_IS},
    {"cross_attn_k_norm.weight", "cross_attn.k_norm.weight", AS_IT_IS},
    {"cross_attn_attn_gate", "cross_attn_attn_gate", AS_IT_IS},
    {"cross_attn_mlp_gate", "cross_attn_mlp_gate", AS_IT_IS},
};

/* Names of the importer, and those that older files have. */
static const rule in_vision[] = {
    {"attn_norm.weight", "input_layernorm.weight", AS_IT_IS},
    {"attn_norm.bias", "input_layernorm.bias", AS_IT_IS},
    {"ln1.weight", "input_layernorm.weight", AS_IT_IS},
    {"ln1.bias", "input_layernorm.bias", AS_IT_IS},
    {"attn_q.weight", "self_attn.q_proj.weight", ROWS_V},
    {"attn_k.weight", "self_attn.k_proj.weight", ROWS_V},
    {"attn_v.weight", "self_attn.v_proj.weight", AS_IT_IS},
    {"attn_output.weight", "self_attn.o_proj.weight", AS_IT_IS},
    {"attn_out.weight", "self_attn.o_proj.weight", AS_IT_IS},
    {"ffn_norm.weight", "post_attention_layernorm.weight", AS_IT_IS},
    {"ffn_norm.bias", "post_attention_layernorm.bias", AS_IT_IS},
    {"ln2.weight", "post_attention_layernorm.weight", AS_IT_IS},
    {"ln2.bias", "post_attention_layernorm.bias", AS_IT_IS},
    {"ffn_up.weight", "mlp.fc1.weight", AS_IT_IS},
    {"ffn_up.bias", "mlp.fc1.bias", AS_IT_IS},
    {"ffn_down.weight", "mlp.fc2.weight", AS_IT_IS},
    {"ffn_down.bias", "mlp.fc2.bias", AS_IT_IS},
    {"attn_gate", "gate_attn", ATANH},
    {"ffn_gate", "gate_ffn", ATANH},
};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const rule *find_rule(const rule *table, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(table[i].from, name) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

/* "blk.12.attn_q.weight" behind prefix "blk." -> 12 and "attn_q.weight"; NULL: not of this form. */
static const char *layer_of(const char *name, const char *prefix, int *layer)
{
    const size_t n = strlen(prefix);
    if (strncmp(name, prefix, n) != 0 || name[n] < '0' || name[n] > '9') {
        return NULL;
    }
    char *end = NULL;
    const unsigned long number = strtoul(name + n, &end, 10);
    *layer = number < MDF_MAX_LAYERS ? (int)number : MDF_MAX_LAYERS;
    return *end == '.' ? end + 1 : NULL;
}

/* The hidden layer of the tower's MLP was once called "down": its shape tells. */
static const char *mlp_name(const mdf_vision_config *c, const mdf_gguf_tensor *t, const char *to)
{
    const bool is_fc1 = strncmp(to, "mlp.fc1.", 8) == 0;
    const bool is_fc2 = strncmp(to, "mlp.fc2.", 8) == 0;
    if ((!is_fc1 && !is_fc2) || c->hidden_size == c->intermediate_size || t->rank < 1) {
        return to;
    }
    const bool wide = t->dim[0] == c->intermediate_size;
    const bool weight = strcmp(to + 8, "weight") == 0;
    return wide ? (weight ? "mlp.fc1.weight" : "mlp.fc1.bias")
                : (weight ? "mlp.fc2.weight" : "mlp.fc2.bias");
}

/* Our name of a tensor and what to do with it; NULL: it belongs to no model that is known here. */
static const rule *translate(const mdf_gguf_model *m, const mdf_gguf_tensor *t, char out[NAME])
{
    static const struct {
        const char *from, *to;
        const rule *table;
        size_t count;
        bool vision, global;
    } stack[] = {
        {"blk.", TEXT "layers.", in_text, COUNT(in_text), false, false},
        {"v.blk.", VISION "transformer.layers.", in_vision, COUNT(in_vision), true, false},
        {"v.global.blk.", VISION "global_transformer.layers.", in_vision, COUNT(in_vision), true,
         true},
    };
    const bool pictures = strncmp(t->name, "v.", 2) == 0 || strncmp(t->name, "mm.", 3) == 0;
    if (pictures && m->vision.hidden_size == 0) {
        return NULL;
    }
    const rule *r = find_rule(whole, COUNT(whole), t->name);
    if (r != NULL) {
        (void)snprintf(out, NAME, "%s", r->to);
        return r;
    }
    for (size_t i = 0; i < COUNT(stack); i++) {
        int layer = 0;
        const int layers = !stack[i].vision  ? m->text.num_hidden_layers
                           : stack[i].global ? m->vision.num_global_layers
                                             : m->vision.num_hidden_layers;
        const char *rest = layer_of(t->name, stack[i].from, &layer);
        r = rest == NULL || layer >= layers ? NULL
                                            : find_rule(stack[i].table, stack[i].count, rest);
        if (r != NULL) {
            const char *to = stack[i].vision ? mlp_name(&m->vision, t, r->to) : r->to;
            (void)snprintf(out, NAME, "%s%d.%s", stack[i].to, layer, to);
            return r;
        }
    }
    return NULL;
}

/* The number whose tanh the file has. The tanh of 9.1 and more is 1 as a float. */
static mdf_status invert_gate(mdf_gguf_model *m, mdf_gguf_weight *w, treatment what,
                              const char *path, mdf_error *err)
{
    mdf_gguf_tensor *t = &w->tensor;
    float x = 0;
    if (t->count != 1 || !mdf_dtype_to_floats(t->dtype, t->data, 1, &x)) {
        return mdf_fail(err, MDF_ERR_SHAPE, "%s: tensor \"%.120s\" is not one number", path,
                        w->source);
    }
    const double tanh_of = what == ATANH_REST ? 1 - (double)x : (double)x;
    if (!(fabs(tanh_of) <= 1)) {
        return mdf_fail(err, MDF_ERR_NUMERIC,
                        "%s: tensor \"%.120s\" = %g is the hyperbolic tangent of nothing", path,
                        w->source, (double)x);
    }
    const float gate = fabs(tanh_of) < 1 ? (float)atanh(tanh_of) : copysignf(9.1f, (float)tanh_of);
    uint8_t *bytes = mdf_arena_alloc(&m->arena, 1, sizeof gate);
    if (bytes == NULL || !mdf_dtype_from_floats(MDF_DTYPE_F32, &gate, 1, bytes)) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", path);
    }
    t->dtype = MDF_DTYPE_F32;
    t->bytes = sizeof gate;
    t->data = bytes;
    return MDF_OK;
}

static mdf_status set_heads(const mdf_gguf_model *m, mdf_gguf_weight *w, treatment what,
                            const char *path, mdf_error *err)
{
    w->heads = what == ROWS_Q   ? m->text.num_attention_heads
               : what == ROWS_K ? m->text.num_key_value_heads
                                : m->vision.attention_heads;
    if (w->tensor.rank != 2 || w->heads < 1 || w->tensor.dim[0] % (2 * (int64_t)w->heads) != 0) {
        return mdf_fail(err, MDF_ERR_SHAPE,
                        "%s: tensor \"%.120s\" has not the rows of %d heads of even width", path,
                        w->source, w->heads);
    }
    return MDF_OK;
}

static mdf_status add(mdf_gguf_model *m, const mdf_gguf *file, const mdf_gguf_tensor *t,
                      mdf_error *err)
{
    char name[NAME];
    mdf_gguf_weight *w = &m->weight[m->count];
    const rule *r = translate(m, t, name);
    if (r == NULL) {
        return mdf_fail(err, MDF_ERR_FORMAT,
                        "%s: tensor \"%.120s\" does not belong to this kind of model", file->path,
                        t->name);
    }
    const bool doubled = r->treat == ATANH_REST &&
                         mdf_gguf_find(file, "v.tile_position_embd.gate") != NULL; /* both say g */
    if (r->treat == DROP || doubled) {
        return MDF_OK;
    }
    *w = (mdf_gguf_weight){.tensor = *t, .source = t->name};
    w->tensor.name = mdf_arena_strndup(&m->arena, name, strlen(name));
    if (w->tensor.name == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", file->path);
    }
    if (r->treat == ATANH || r->treat == ATANH_REST) {
        MDF_TRY(invert_gate(m, w, r->treat, file->path, err));
    } else if (r->treat != AS_IT_IS) {
        MDF_TRY(set_heads(m, w, r->treat, file->path, err));
    }
    m->count++;
    return MDF_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const mdf_gguf_weight *)a)->tensor.name,
                  ((const mdf_gguf_weight *)b)->tensor.name);
}

static mdf_status read(mdf_gguf_model *m, const mdf_gguf_files *f, mdf_error *err)
{
    bool vision = false;
    size_t count = 0;
    MDF_TRY(mdf_gguf_architecture(f, &vision, err));
    MDF_TRY(mdf_gguf_text_config(&m->text, f, vision, err));
    if (vision) {
        MDF_TRY(mdf_gguf_vision_config(&m->vision, f, err));
    }
    for (size_t i = 0; i < f->files; i++) {
        count += f->file[i].count;
    }
    m->weight = mdf_arena_zalloc(&m->arena, count + 1, sizeof *m->weight);
    if (m->weight == NULL) {
        return mdf_fail(err, MDF_ERR_NOMEM, "%s: out of memory", f->file[0].path);
    }
    for (size_t i = 0; i < f->files; i++) {
        for (size_t k = 0; k < f->file[i].count; k++) {
            MDF_TRY(add(m, &f->file[i], &f->file[i].tensor[k], err));
        }
    }
    qsort(m->weight, m->count, sizeof *m->weight, by_name);
    for (size_t i = 1; i < m->count; i++) {
        if (by_name(&m->weight[i - 1], &m->weight[i]) == 0) {
            return mdf_fail(err, MDF_ERR_FORMAT,
                            "%s: tensors \"%.120s\" and \"%.120s\" are the same", f->file[0].path,
                            m->weight[i - 1].source, m->weight[i].source);
        }
    }
    return MDF_OK;
}

mdf_status mdf_gguf_model_read(mdf_gguf_model *m, const mdf_gguf_files *f, mdf_error *err)
{
    *m = (mdf_gguf_model){0};
    MDF_TRY(mdf_arena_init(&m->arena, 0, 0, err));
    const mdf_status status = read(m, f, err);
    if (status != MDF_OK) {
        mdf_gguf_model_free(m);
    }
    return status;
}

void mdf_gguf_model_free(mdf_gguf_model *m)
{
    mdf_arena_free(&m->arena);
    *m = (mdf_gguf_model){0};
}

const mdf_gguf_weight *mdf_gguf_model_find(const mdf_gguf_model *m, const char *name)
{
    const mdf_gguf_weight key = {.tensor.name = name};
    return m->count == 0 ? NULL : bsearch(&key, m->weight, m->count, sizeof key, by_name);
}

/* Bytes of a row. */
static size_t row_bytes(const mdf_gguf_weight *w)
{
    return w->tensor.bytes / (size_t)(w->tensor.rank == 0 ? 1 : w->tensor.dim[0]);
}

const uint8_t *mdf_gguf_weight_row(const mdf_gguf_weight *w, int64_t row)
{
    int64_t from = row;
    if (w->heads > 0) {
        const int64_t width = w->tensor.dim[0] / w->heads;
        const int64_t within = row % width;
        from = row - within + 2 * (within % (width / 2)) + within / (width / 2);
    }
    return w->tensor.data + (size_t)from * row_bytes(w);
}

void mdf_gguf_weight_copy(const mdf_gguf_weight *w, int64_t first, int64_t rows, void *out)
{
    const size_t bytes = row_bytes(w);
    uint8_t *to = out;
    if (w->heads == 0) {
        memcpy(to, mdf_gguf_weight_row(w, first), (size_t)rows * bytes);
        return;
    }
    for (int64_t r = first; r < first + rows; r++, to += bytes) {
        memcpy(to, mdf_gguf_weight_row(w, r), bytes);
    }
}
