/* The vision tower of Llama 3.2 Vision (docs/MODEL.md section 3, arXiv 2407.21783). */
#include "nn/vision.h"

static void declare_layer(mdf_vision_layer *l, const mdf_config *c, mdf_params *p, const char *name,
                          int index, bool global)
{
    const mdf_group gr = MDF_GROUP_VISION;
    const double sd = c->vision.initializer_range;
    const int64_t d = c->vision.hidden_size;
    const int64_t f = c->vision.intermediate_size;
#define ADD(init, arg, rank, dims, suffix)                                                         \
    mdf_param_add(p, gr, init, arg, rank, dims, "model.vision_model.%s.layers.%d.%s", name, index, \
                  suffix)
    const int64_t dd[2] = {d, d};
    l->q = ADD(MDF_INIT_NORMAL, sd, 2, dd, "self_attn.q_proj.weight");
    l->k = ADD(MDF_INIT_NORMAL, sd, 2, dd, "self_attn.k_proj.weight");
    l->v = ADD(MDF_INIT_NORMAL, sd, 2, dd, "self_attn.v_proj.weight");
    l->o = ADD(MDF_INIT_NORMAL, sd, 2, dd, "self_attn.o_proj.weight");
    l->fc1_w = ADD(MDF_INIT_NORMAL, sd, 2, ((int64_t[]){f, d}), "mlp.fc1.weight");
    l->fc1_b = ADD(MDF_INIT_ZERO, 0, 1, &f, "mlp.fc1.bias");
    l->fc2_w = ADD(MDF_INIT_NORMAL, sd, 2, ((int64_t[]){d, f}), "mlp.fc2.weight");
    l->fc2_b = ADD(MDF_INIT_ZERO, 0, 1, &d, "mlp.fc2.bias");
    l->norm1_w = ADD(MDF_INIT_ONE, 0, 1, &d, "input_layernorm.weight");
    l->norm1_b = ADD(MDF_INIT_ZERO, 0, 1, &d, "input_layernorm.bias");
    l->norm2_w = ADD(MDF_INIT_ONE, 0, 1, &d, "post_attention_layernorm.weight");
    l->norm2_b = ADD(MDF_INIT_ZERO, 0, 1, &d, "post_attention_layernorm.bias");
    if (global) {
        const int64_t one = 1;
        const double quarter_pi = 0.7853981633974483; /* as the reference constructor */
        l->gate_attn = ADD(MDF_INIT_CONST, quarter_pi, 1, &one, "gate_attn");
        l->gate_ffn = ADD(MDF_INIT_CONST, quarter_pi, 1, &one, "gate_ffn");
    }
#undef ADD
}

static void declare_embeddings(mdf_vision *v, const mdf_config *c, mdf_params *p)
{
    const mdf_group gr = MDF_GROUP_VISION;
    const double sd = c->vision.initializer_range;
    const double gate = c->vision.gate_init;
    const int64_t d = c->vision.hidden_size;
    const int64_t ps = c->vision.patch_size;
    const int64_t tiles = c->vision.max_num_tiles;
    const int64_t side = c->vision.image_size / c->vision.patch_size;
    const int64_t count = side * side + 1;
    const int64_t rows = mdf_config_aspect_ratios(c) + 1;
    const int64_t one = 1;
    v->class_embedding =
        mdf_param_add(p, gr, MDF_INIT_NORMAL, sd, 1, &d, "model.vision_model.class_embedding");
    v->patch_embedding = mdf_param_add(p, gr, MDF_INIT_NORMAL, sd, 4, (int64_t[]){d, 3, ps, ps},
                                       "model.vision_model.patch_embedding.weight");
#define GATED "model.vision_model.gated_positional_embedding."
    v->position_gate = mdf_param_add(p, gr, MDF_INIT_ZERO, 0, 1, &one, GATED "gate");
    v->position =
        mdf_param_add(p, gr, MDF_INIT_NORMAL, sd, 2, (int64_t[]){count, d}, GATED "embedding");
    v->tile_position =
        mdf_param_add(p, gr, MDF_INIT_ZERO, 0, 2, (int64_t[]){rows, tiles * count * d},
                      GATED "tile_embedding.weight");
#undef GATED
#define PRE  "model.vision_model.pre_tile_positional_embedding."
#define POST "model.vision_model.post_tile_positional_embedding."
    v->pre_tile_gate = mdf_param_add(p, gr, MDF_INIT_CONST, gate, 1, &one, PRE "gate");
    v->pre_tile = mdf_param_add(p, gr, MDF_INIT_ZERO, 0, 2, (int64_t[]){rows, tiles * d},
                                PRE "embedding.weight");
    v->post_tile_gate = mdf_param_add(p, gr, MDF_INIT_CONST, gate, 1, &one, POST "gate");
    v->post_tile = mdf_param_add(p, gr, MDF_INIT_ZERO, 0, 2, (int64_t[]){rows, tiles * d},
                                 POST "embedding.weight");
#undef PRE
#undef POST
    v->pre_w =
        mdf_param_add(p, gr, MDF_INIT_ONE, 0, 1, &d, "model.vision_model.layernorm_pre.weight");
    v->pre_b =
        mdf_param_add(p, gr, MDF_INIT_ZERO, 0, 1, &d, "model.vision_model.layernorm_pre.bias");
    v->post_w =
        mdf_param_add(p, gr, MDF_INIT_ONE, 0, 1, &d, "model.vision_model.layernorm_post.weight");
    v->post_b =
        mdf_param_add(p, gr, MDF_INIT_ZERO, 0, 1, &d, "model.vision_model.layernorm_post.bias");
}

void mdf_vision_declare(mdf_vision *v, const mdf_config *c, mdf_params *p)
{
    *v = (mdf_vision){.config = c};
    declare_embeddings(v, c, p);
    v->local = mdf_arena_zalloc(&p->arena, (size_t)c->vision.num_hidden_layers, sizeof *v->local);
    v->global = mdf_arena_zalloc(&p->arena, (size_t)c->vision.num_global_layers, sizeof *v->global);
    if (v->local == NULL || v->global == NULL) {
        (void)mdf_fail(&p->error, MDF_ERR_NOMEM, "out of memory for the vision layers");
        return;
    }
    for (int i = 0; i < c->vision.num_hidden_layers; i++) {
        declare_layer(&v->local[i], c, p, "transformer", i, false);
    }
    for (int i = 0; i < c->vision.num_global_layers; i++) {
        declare_layer(&v->global[i], c, p, "global_transformer", i, true);
    }
    const int64_t features = c->vision.hidden_size * (1 + c->vision.intermediate_count);
    const int64_t d = c->text.hidden_size;
    v->projector_w =
        mdf_param_add(p, MDF_GROUP_VISION, MDF_INIT_NORMAL, c->vision.initializer_range, 2,
                      (int64_t[]){d, features}, "model.multi_modal_projector.weight");
    v->projector_b = mdf_param_add(p, MDF_GROUP_VISION, MDF_INIT_ZERO, 0, 1, &d,
                                   "model.multi_modal_projector.bias");
}

static mdf_tensor *attention_half(mdf_graph *g, const mdf_vision *v, const mdf_vision_layer *l,
                                  mdf_tensor *x, const mdf_attn_plan *plan)
{
    const mdf_real eps = (mdf_real)v->config->vision.norm_eps;
    mdf_tensor *n = mdf_layer_norm(g, x, l->norm1_w, l->norm1_b, eps);
    mdf_tensor *a = mdf_attention(g, mdf_linear(g, n, l->q, NULL), mdf_linear(g, n, l->k, NULL),
                                  mdf_linear(g, n, l->v, NULL), plan);
    a = mdf_linear(g, a, l->o, NULL);
    return l->gate_attn == NULL ? mdf_add(g, x, a) : mdf_gated_add(g, x, a, l->gate_attn, NULL);
}

static mdf_tensor *mlp_half(mdf_graph *g, const mdf_vision *v, const mdf_vision_layer *l,
                            mdf_tensor *x)
{
    const mdf_real eps = (mdf_real)v->config->vision.norm_eps;
    mdf_tensor *n = mdf_layer_norm(g, x, l->norm2_w, l->norm2_b, eps);
    n = mdf_gelu(g, mdf_linear(g, n, l->fc1_w, l->fc1_b));
    n = mdf_linear(g, n, l->fc2_w, l->fc2_b);
    return l->gate_ffn == NULL ? mdf_add(g, x, n) : mdf_gated_add(g, x, n, l->gate_ffn, NULL);
}

/* What a layer reads besides x. */
typedef struct vision_part {
    const mdf_vision *vision;
    const mdf_vision_layer *layer;
    mdf_attn_plan plan; /* a copy: backward comes later */
} vision_part;

/* inputs: x. x + (gate) attention, then x + (gate) MLP; local layers have no gates. */
static mdf_tensor *run_layer(mdf_graph *g, const void *context, mdf_tensor *const inputs[])
{
    const vision_part *p = context;
    const mdf_scope scope = mdf_scope_begin(g);
    mdf_tensor *x = attention_half(g, p->vision, p->layer, inputs[0], &p->plan);
    return mlp_half(g, p->vision, p->layer, mdf_scope_keep(g, &scope, x));
}

/* A layer, kept whole or computed again in backward. */
static mdf_tensor *vision_layer(mdf_graph *g, const mdf_vision *v, const mdf_vision_layer *l,
                                mdf_tensor *x, const mdf_attn_plan *plan)
{
    const vision_part p = {v, l, *plan};
    return v->config->train.gradient_checkpointing
               ? mdf_checkpoint(g, run_layer, &p, sizeof p, &x, 1)
               : run_layer(g, &p, &x);
}

/* A tile table as rows of d numbers. */
static mdf_tensor *rows_of(mdf_graph *g, mdf_tensor *table, int64_t d)
{
    return mdf_reshape(g, table, 2, (int64_t[]){mdf_tensor_count(table) / d, d});
}

/* Patches, class token and position tables -> [rows, Dv]. */
static mdf_tensor *embed(mdf_graph *g, const mdf_vision *v, mdf_real *tiles, const mdf_tiles *t)
{
    const mdf_config *c = v->config;
    const int64_t d = c->vision.hidden_size;
    const int64_t side = c->vision.image_size;
    mdf_tensor *x = mdf_constant(g, tiles, 4, (int64_t[]){t->tiles, side, side, 3});
    x = mdf_linear(g, mdf_patchify(g, x, c->vision.patch_size), v->patch_embedding, NULL);
    x = mdf_concat_rows(g, x, mdf_reshape(g, v->class_embedding, 2, (int64_t[]){1, d}));
    x = mdf_gather_rows(g, x, t->source, t->rows);
    x = mdf_add_rows(g, x, rows_of(g, v->pre_tile, d), v->pre_tile_gate, false, t->pre_tile);
    x = mdf_add_rows(g, x, v->position, v->position_gate, true, t->position);
    x = mdf_add_rows(g, x, rows_of(g, v->tile_position, d), v->position_gate, false, t->in_tile);
    x = mdf_layer_norm(g, x, v->pre_w, v->pre_b, MDF_R(1e-5));
    return mdf_gather_rows(g, x, t->unpad, t->rows);
}

/* Both encoders: the last state joined with the intermediate ones, [rows, Dv*(1+k)]. */
static mdf_tensor *encode(mdf_graph *g, const mdf_vision *v, mdf_real *tiles, const mdf_tiles *t,
                          const mdf_attn_plan *plan)
{
    const mdf_config *c = v->config;
    const int count = c->vision.intermediate_count;
    mdf_tensor *between[MDF_NODE_INPUTS] = {NULL}; /* in the order of the settings */
    mdf_scope scope = mdf_scope_begin(g);
    mdf_tensor *x = mdf_scope_keep(g, &scope, embed(g, v, tiles, t));
    for (int i = 0; i < c->vision.num_hidden_layers; i++) {
        for (int k = 0; k < count; k++) {
            if (c->vision.intermediate_layers_indices[k] == i) {
                between[k] = x;             /* trap 2: the state before layer i */
                scope = mdf_scope_begin(g); /* which stays */
            }
        }
        x = mdf_scope_keep(g, &scope, vision_layer(g, v, &v->local[i], x, plan));
    }
    x = mdf_layer_norm(g, x, v->post_w, v->post_b, MDF_R(1e-5));
    x = mdf_add_rows(g, x, rows_of(g, v->post_tile, c->vision.hidden_size), v->post_tile_gate,
                     false, t->post);
    x = mdf_scope_keep(g, &scope, x);
    for (int i = 0; i < c->vision.num_global_layers; i++) {
        x = mdf_scope_keep(g, &scope, vision_layer(g, v, &v->global[i], x, plan));
    }
    return mdf_concat_interleave(g, x, between, count);
}

mdf_image_tokens mdf_vision_forward(mdf_graph *g, const mdf_vision *v, const mdf_batch *b)
{
    mdf_image_tokens out = {0};
    const mdf_config *c = v->config;
    const mdf_tile_tables tables = {v->pre_tile, v->tile_position, v->post_tile};
    mdf_tiles t;
    if (b->vision_image == NULL || !mdf_config_has_vision(c) ||
        !mdf_tiles_plan(g, c, b, &tables, &t) || t.pictures == 0) {
        return out;
    }
    mdf_attn_segment *segment = mdf_graph_alloc(g, t.pictures, sizeof *segment);
    if (segment == NULL) {
        return out;
    }
    for (int64_t n = 0; n < t.pictures; n++) {
        const mdf_picture *p = &t.picture[n];
        const int64_t length = (p->used + p->spare) * t.tile;
        segment[n] = (mdf_attn_segment){p->row0, length, p->row0, length, 0, 0};
    }
    const mdf_attn_plan plan = {.kind = MDF_ATTEND_PAIR,
                                .heads = c->vision.attention_heads,
                                .kv_heads = c->vision.attention_heads,
                                .head_dim = c->vision.hidden_size / c->vision.attention_heads,
                                .segment = segment,
                                .segments = t.pictures,
                                .key_bias = t.bias,
                                .invalid = t.invalid};
    const mdf_scope scope = mdf_scope_begin(g);
    mdf_tensor *x = encode(g, v, b->vision_image, &t, &plan);
    x = mdf_gather_rows(g, x, t.keep, t.tokens);
    out.v = mdf_scope_keep(g, &scope, mdf_linear(g, x, v->projector_w, v->projector_b));
    out.features = g->last == scope.last ? NULL : x;
    out.count = t.tokens;
    out.bias = t.token_bias;
    out.of_case = t.of_case;
    out.picture = t.picture;
    return out;
}
