/* The vision tower of Llama 3.2 Vision for pictures of one tile, with unused tiles and padding
 * tokens computed once (docs/MODEL.md section 3, arXiv 2407.21783). */
#include "nn/vision.h"

#include <math.h>

/* A picture's sequence: P tokens of the used tile, one padding token for all of them, then the same
 * for one unused tile. P = patches + class token. */
typedef struct layout {
    int64_t cases, patches, p;
    int64_t pad;    /* padding tokens a tile has in the plain computation */
    int64_t unused; /* unused tiles */
    int64_t tile;   /* tokens kept per tile: p, +1 if there is padding */
    int64_t length; /* tokens per picture */
} layout;

static layout layout_of(const mdf_config *c, int64_t cases)
{
    const int64_t side = c->vision.image_size / c->vision.patch_size;
    layout s = {.cases = cases, .patches = side * side, .p = side * side + 1};
    s.pad = (8 - s.p % 8) % 8;
    s.unused = c->vision.max_num_tiles - 1;
    s.tile = s.p + (s.pad > 0);
    s.length = s.tile * (s.unused > 0 ? 2 : 1);
    return s;
}

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
    const int64_t count = layout_of(c, 1).p;
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

/* x + (gate) attention, then x + (gate) MLP; local layers have no gates. */
static mdf_tensor *vision_layer(mdf_graph *g, const mdf_vision *v, const mdf_vision_layer *l,
                                mdf_tensor *x, const mdf_attn_plan *plan)
{
    const mdf_real eps = (mdf_real)v->config->vision.norm_eps;
    mdf_tensor *n = mdf_layer_norm(g, x, l->norm1_w, l->norm1_b, eps);
    mdf_tensor *a = mdf_attention(g, mdf_linear(g, n, l->q, NULL), mdf_linear(g, n, l->k, NULL),
                                  mdf_linear(g, n, l->v, NULL), plan);
    a = mdf_linear(g, a, l->o, NULL);
    x = l->gate_attn == NULL ? mdf_add(g, x, a) : mdf_gated_add(g, x, a, l->gate_attn, NULL);
    n = mdf_layer_norm(g, x, l->norm2_w, l->norm2_b, eps);
    n = mdf_gelu(g, mdf_linear(g, n, l->fc1_w, l->fc1_b));
    n = mdf_linear(g, n, l->fc2_w, l->fc2_b);
    return l->gate_ffn == NULL ? mdf_add(g, x, n) : mdf_gated_add(g, x, n, l->gate_ffn, NULL);
}

/* Row maps of a picture's sequence. Each is [B*length], -1 = nothing. */
typedef struct vision_rows {
    int32_t *source;   /* into [patch embeddings; class embedding] */
    int32_t *pre_tile; /* into pre_tile as [rows*T, Dv]: used tile's patches only */
    int32_t *position; /* into position: every token but padding */
    int32_t *tile;     /* into tile_position as [rows*T*P, Dv]: used tile's tokens */
    int32_t *unpad;    /* itself, or -1 where it is padding: those are zero after the first norm */
    int32_t *post;     /* into post_tile: all tokens of the used tile */
    int32_t *keep;     /* [B*P*(1 or 2)]: the tokens that become image tokens */
    uint8_t *invalid;  /* trap 1 */
    mdf_real *bias;    /* ln of the multiplicity */
} vision_rows;

static bool rows_allocate(mdf_graph *g, vision_rows *r, int64_t n)
{
    int32_t **maps[] = {&r->source, &r->pre_tile, &r->position, &r->tile,
                        &r->unpad,  &r->post,     &r->keep};
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
        *maps[i] = mdf_graph_alloc(g, n, sizeof(int32_t));
    }
    r->invalid = mdf_graph_alloc(g, n, 1);
    r->bias = mdf_graph_alloc(g, n, sizeof *r->bias);
    return g->error.code == MDF_OK;
}

static void rows_fill(vision_rows *r, const layout *s, int64_t tiles)
{
    const int64_t id = 1; /* aspect ratio 1x1 */
    int64_t kept = 0;
    for (int64_t n = 0; n < s->cases * s->length; n++) {
        const int64_t b = n / s->length;
        const int64_t j = n % s->length % s->tile;
        const bool used = n % s->length < s->tile;
        const bool padding = j == s->p;
        const bool patch = j > 0 && !padding;
        const int64_t class_row = s->cases * s->patches;
        r->source[n] = (int32_t)(j == 0 ? class_row : used && patch ? b * s->patches + j - 1 : -1);
        r->pre_tile[n] = (int32_t)(used && patch ? id * tiles : -1); /* trap 3 */
        r->position[n] = (int32_t)(padding ? -1 : j);
        r->tile[n] = (int32_t)(used && !padding ? id * tiles * s->p + j : -1);
        r->unpad[n] = (int32_t)(padding ? -1 : n);
        r->post[n] = (int32_t)(used ? id * tiles : -1);
        r->invalid[n] = !used || padding;
        const double many = (used ? 1.0 : (double)s->unused) * (padding ? (double)s->pad : 1.0);
        r->bias[n] = (mdf_real)log(many);
        if (!padding) {
            r->keep[kept++] = (int32_t)n;
        }
    }
}

/* Patches, class token and position tables -> [B*length, Dv]. */
static mdf_tensor *embed(mdf_graph *g, const mdf_vision *v, mdf_tensor *image, const layout *s,
                         const vision_rows *r)
{
    const mdf_config *c = v->config;
    const int64_t d = c->vision.hidden_size;
    const int64_t tiles = c->vision.max_num_tiles;
    const int64_t ratios = mdf_config_aspect_ratios(c) + 1;
    mdf_tensor *x =
        mdf_linear(g, mdf_patchify(g, image, c->vision.patch_size), v->patch_embedding, NULL);
    x = mdf_concat_rows(g, x, mdf_reshape(g, v->class_embedding, 2, (int64_t[]){1, d}));
    x = mdf_gather_rows(g, x, r->source, s->cases * s->length);
    x = mdf_add_rows(g, x, mdf_reshape(g, v->pre_tile, 2, (int64_t[]){ratios * tiles, d}),
                     v->pre_tile_gate, false, r->pre_tile);
    x = mdf_add_rows(g, x, v->position, v->position_gate, true, r->position);
    x = mdf_add_rows(g, x,
                     mdf_reshape(g, v->tile_position, 2, (int64_t[]){ratios * tiles * s->p, d}),
                     v->position_gate, false, r->tile);
    x = mdf_layer_norm(g, x, v->pre_w, v->pre_b, MDF_R(1e-5));
    return mdf_gather_rows(g, x, r->unpad, s->cases * s->length);
}

mdf_image_tokens mdf_vision_forward(mdf_graph *g, const mdf_vision *v, mdf_tensor *image)
{
    mdf_image_tokens out = {0};
    if (image == NULL) {
        return out;
    }
    const mdf_config *c = v->config;
    const layout s = layout_of(c, image->dim[0]);
    vision_rows r;
    mdf_attn_segment *segment = mdf_graph_alloc(g, s.cases, sizeof *segment);
    if (!rows_allocate(g, &r, s.cases * s.length) || segment == NULL) {
        return out;
    }
    rows_fill(&r, &s, c->vision.max_num_tiles);
    for (int64_t b = 0; b < s.cases; b++) {
        segment[b] = (mdf_attn_segment){b * s.length, s.length, b * s.length, s.length, 0, 0};
    }
    const mdf_attn_plan plan = {.kind = MDF_ATTEND_PAIR,
                                .heads = c->vision.attention_heads,
                                .kv_heads = c->vision.attention_heads,
                                .head_dim = c->vision.hidden_size / c->vision.attention_heads,
                                .segment = segment,
                                .segments = s.cases,
                                .key_bias = r.bias,
                                .invalid = r.invalid};
    mdf_tensor *between[MDF_NODE_INPUTS] = {NULL};
    int found = 0;
    mdf_tensor *x = embed(g, v, image, &s, &r);
    for (int i = 0; i < c->vision.num_hidden_layers; i++) {
        if (found < c->vision.intermediate_count &&
            c->vision.intermediate_layers_indices[found] == i) {
            between[found++] = x; /* trap 2: the state before layer i */
        }
        x = vision_layer(g, v, &v->local[i], x, &plan);
    }
    x = mdf_layer_norm(g, x, v->post_w, v->post_b, MDF_R(1e-5));
    const int64_t rows = (mdf_config_aspect_ratios(c) + 1) * c->vision.max_num_tiles;
    x = mdf_add_rows(g, x,
                     mdf_reshape(g, v->post_tile, 2, (int64_t[]){rows, c->vision.hidden_size}),
                     v->post_tile_gate, false, r.post);
    for (int i = 0; i < c->vision.num_global_layers; i++) {
        x = vision_layer(g, v, &v->global[i], x, &plan);
    }
    x = mdf_concat_interleave(g, x, between, found);
    out.main = s.p;
    out.spare = s.unused > 0 ? s.p : 0;
    out.spare_weight = s.unused;
    x = mdf_gather_rows(g, x, r.keep, s.cases * (out.main + out.spare));
    out.v = mdf_linear(g, x, v->projector_w, v->projector_b);
    return out;
}
