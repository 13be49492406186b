/* The text model of Llama 3.2 Vision: self-attention layers and, at some depths, gated
 * cross-attention layers that read image tokens (docs/MODEL.md section 3). */
#include "nn/text.h"

#include <math.h>
#include <string.h>

#include "tensor/op.h"

static bool is_cross(const mdf_config *c, int layer)
{
    for (int i = 0; i < c->text.cross_count; i++) {
        if (c->text.cross_attention_layers[i] == layer) {
            return true;
        }
    }
    return false;
}

static void declare_layer(mdf_text_layer *l, const mdf_config *c, mdf_params *p, int n)
{
    const mdf_group gr = MDF_GROUP_TEXT;
    const double sd = c->text.initializer_range;
    const int64_t d = c->text.hidden_size;
    const int64_t f = c->text.intermediate_size;
    const int64_t hd = d / c->text.num_attention_heads;
    const int64_t kv = hd * c->text.num_key_value_heads;
    const int64_t one = 1;
    l->cross = is_cross(c, n);
    const char *attn = l->cross ? "cross_attn" : "self_attn";
#define NAME "model.language_model.layers.%d."
    l->q = mdf_param_add(p, gr, MDF_INIT_NORMAL, sd, 2, (int64_t[]){d, d}, NAME "%s.q_proj.weight",
                         n, attn);
    l->k = mdf_param_add(p, gr, MDF_INIT_NORMAL, sd, 2, (int64_t[]){kv, d}, NAME "%s.k_proj.weight",
                         n, attn);
    l->v = mdf_param_add(p, gr, MDF_INIT_NORMAL, sd, 2, (int64_t[]){kv, d}, NAME "%s.v_proj.weight",
                         n, attn);
    l->o = mdf_param_add(p, gr, MDF_INIT_NORMAL, sd, 2, (int64_t[]){d, d}, NAME "%s.o_proj.weight",
                         n, attn);
    if (l->cross) {
        const double gate = c->text.gate_init;
        l->q_norm =
            mdf_param_add(p, gr, MDF_INIT_ONE, 0, 1, &hd, NAME "cross_attn.q_norm.weight", n);
        l->k_norm =
            mdf_param_add(p, gr, MDF_INIT_ONE, 0, 1, &hd, NAME "cross_attn.k_norm.weight", n);
        l->attn_gate =
            mdf_param_add(p, gr, MDF_INIT_CONST, gate, 1, &one, NAME "cross_attn_attn_gate", n);
        l->mlp_gate =
            mdf_param_add(p, gr, MDF_INIT_CONST, gate, 1, &one, NAME "cross_attn_mlp_gate", n);
    }
    l->gate = mdf_param_add(p, gr, MDF_INIT_NORMAL, sd, 2, (int64_t[]){f, d},
                            NAME "mlp.gate_proj.weight", n);
    l->up = mdf_param_add(p, gr, MDF_INIT_NORMAL, sd, 2, (int64_t[]){f, d},
                          NAME "mlp.up_proj.weight", n);
    l->down = mdf_param_add(p, gr, MDF_INIT_NORMAL, sd, 2, (int64_t[]){d, f},
                            NAME "mlp.down_proj.weight", n);
    l->norm1_w = mdf_param_add(p, gr, MDF_INIT_ONE, 0, 1, &d, NAME "input_layernorm.weight", n);
    l->norm2_w =
        mdf_param_add(p, gr, MDF_INIT_ONE, 0, 1, &d, NAME "post_attention_layernorm.weight", n);
#undef NAME
}

/* Base frequencies and the llama3 scaling of the released model; float32 steps as in the reference
 * (docs/MODEL.md section 3). */
static void fill_inv_freq(mdf_real *inv_freq, const mdf_config *c, int64_t half)
{
    const mdf_rope_scaling *s = &c->text.rope_scaling;
    const double two_pi = 6.283185307179586;
    for (int64_t i = 0; i < half; i++) {
        const double f = 1.0 / pow(c->text.rope_theta, (double)i / (double)half);
        double scaled = f;
        if (s->enabled) {
            const double wave = two_pi / f;
            const double original = (double)s->original_max_position_embeddings;
            const double low = original / s->low_freq_factor;
            const double high = original / s->high_freq_factor;
            if (wave > low) {
                scaled = f / s->factor;
            } else if (wave >= high) {
                const double mix = (original / wave - s->low_freq_factor) /
                                   (s->high_freq_factor - s->low_freq_factor);
                scaled = (1 - mix) * f / s->factor + mix * f;
            }
        }
        inv_freq[i] = (mdf_real)scaled;
    }
}

void mdf_text_declare(mdf_text *t, const mdf_config *c, mdf_params *p)
{
    *t = (mdf_text){.config = c};
    const double sd = c->text.initializer_range;
    const int64_t d = c->text.hidden_size;
    const int64_t half = d / c->text.num_attention_heads / 2;
    const int64_t vocab = c->text.vocab_size;
    t->embed_tokens = mdf_param_add(p, MDF_GROUP_TEXT, MDF_INIT_NORMAL, sd, 2,
                                    (int64_t[]){mdf_config_embedding_rows(c), d},
                                    "model.language_model.embed_tokens.weight");
    t->layer = mdf_arena_zalloc(&p->arena, (size_t)c->text.num_hidden_layers, sizeof *t->layer);
    t->inv_freq = mdf_arena_zalloc(&p->arena, (size_t)half, sizeof *t->inv_freq);
    if (t->layer == NULL || t->inv_freq == NULL) {
        (void)mdf_fail(&p->error, MDF_ERR_NOMEM, "out of memory for the text layers");
        return;
    }
    fill_inv_freq(t->inv_freq, c, half);
    for (int n = 0; n < c->text.num_hidden_layers; n++) {
        declare_layer(&t->layer[n], c, p, n);
    }
    t->norm_w = mdf_param_add(p, MDF_GROUP_TEXT, MDF_INIT_ONE, 0, 1, &d,
                              "model.language_model.norm.weight");
    t->lm_head = c->text.tie_word_embeddings
                     ? NULL
                     : mdf_param_add(p, MDF_GROUP_TEXT, MDF_INIT_NORMAL, sd, 2,
                                     (int64_t[]){vocab, d}, "lm_head.weight");
}

mdf_tensor *mdf_text_logits(mdf_graph *g, const mdf_text *t, mdf_tensor *h)
{
    mdf_tensor *head = t->lm_head != NULL
                           ? t->lm_head
                           : mdf_first_rows(g, t->embed_tokens, t->config->text.vocab_size);
    return mdf_linear(g, h, head, NULL);
}

static mdf_attn_plan text_plan(const mdf_config *c)
{
    return (mdf_attn_plan){.heads = c->text.num_attention_heads,
                           .kv_heads = c->text.num_key_value_heads,
                           .head_dim = c->text.hidden_size / c->text.num_attention_heads};
}

static mdf_tensor *mlp(mdf_graph *g, const mdf_text_layer *l, mdf_tensor *x)
{
    mdf_tensor *h[2];
    mdf_linears(g, x, (mdf_tensor *[]){l->gate, l->up}, 2, h);
    return mdf_linear(g, mdf_swiglu(g, h[0], h[1]), l->down, NULL);
}

/* On what a layer adds to the residual stream; site tells a layer's two places apart. */
static mdf_tensor *drop(mdf_graph *g, const mdf_text *t, const mdf_text_input *in, int site,
                        mdf_tensor *x)
{
    const double rate = in->dropout_seed == 0 ? 0 : t->config->train.dropout;
    return mdf_dropout(g, x, (mdf_real)rate, mdf_rng_mix(in->dropout_seed, (uint64_t)site));
}

/* What a part of a layer reads besides its inputs. */
typedef struct text_part {
    const mdf_text *text;
    mdf_text_input in;               /* a copy: backward comes later */
    int index;                       /* of the layer */
    const mdf_attn_segment *segment; /* cross attention: its keys' */
    const mdf_real *bias;
} text_part;

/* A part, kept whole or computed again in backward. */
static mdf_tensor *run_part(mdf_graph *g, mdf_subnet run, const text_part *p, mdf_tensor *x,
                            mdf_tensor *tokens)
{
    mdf_tensor *const in[] = {x, tokens};
    return p->text->config->train.gradient_checkpointing
               ? mdf_checkpoint(g, run, p, sizeof *p, in, 2)
               : run(g, p, in);
}

/* inputs: x. x + Attn(norm(x)); x + MLP(norm(x)) */
static mdf_tensor *self_layer(mdf_graph *g, const void *context, mdf_tensor *const inputs[])
{
    const text_part *p = context;
    const mdf_text *t = p->text;
    const mdf_text_input *in = &p->in;
    const int index = p->index;
    mdf_tensor *x = inputs[0];
    const mdf_text_layer *l = &t->layer[index];
    const mdf_config *c = t->config;
    const mdf_real eps = (mdf_real)c->text.rms_norm_eps;
    mdf_attn_plan plan = text_plan(c);
    plan.kind = MDF_ATTEND_TREE;
    plan.segment = in->self;
    plan.segments = in->self_segments;
    plan.tree = in->tree;
    plan.tree_nodes = in->tree_nodes;
    mdf_tensor *n = mdf_rms_norm(g, x, l->norm1_w, eps);
    mdf_tensor *qkv[3];
    mdf_linears(g, n, (mdf_tensor *[]){l->q, l->k, l->v}, 3, qkv);
    mdf_tensor *q = mdf_rope(g, qkv[0], in->position, t->inv_freq, plan.heads);
    mdf_tensor *k = mdf_rope(g, qkv[1], in->position, t->inv_freq, plan.kv_heads);
    mdf_kv kv = {k, qkv[2]};
    if (in->cache != NULL) {
        kv = mdf_kv_append(g, in->cache, index, kv);
    }
    mdf_tensor *a = mdf_attention(g, q, kv.k, kv.v, &plan);
    x = mdf_add(g, x, drop(g, t, in, 2 * index, mdf_linear(g, a, l->o, NULL)));
    mdf_tensor *m = mlp(g, l, mdf_rms_norm(g, x, l->norm2_w, eps));
    return mdf_add(g, x, drop(g, t, in, 2 * index + 1, m));
}

/* Keys of a cross layer: the image tokens, with fusion.attend = "concat" joined by U. */
typedef struct cross_keys {
    mdf_tensor *tokens; /* NULL: only in the cache */
    const mdf_attn_segment *segment;
    const mdf_real *bias;
} cross_keys;

/* A case's patches stand between the tokens of its (one) picture that every row sees and the spare
 * ones, so that what a row sees stays one range. */
static cross_keys join_patches(mdf_graph *g, const mdf_text_input *in, const mdf_image_tokens *im,
                               mdf_tensor *u, int64_t cases)
{
    cross_keys keys = {0};
    const int64_t patches = u->dim[0] / cases;
    const int64_t count = im->count + u->dim[0];
    int32_t *row = mdf_graph_alloc(g, count, sizeof *row);
    mdf_real *bias = mdf_graph_alloc(g, count, sizeof *bias);
    mdf_attn_segment *segment = mdf_graph_alloc(g, in->cross_segments + 1, sizeof *segment);
    if (g->error.code != MDF_OK) {
        return keys;
    }
    int64_t n = 0;
    for (int64_t b = 0; b < cases; b++) {
        const mdf_case_tokens *k = &im->of_case[b];
        for (int64_t j = 0; j < k->main + patches + k->spare; j++, n++) {
            const bool patch = j >= k->main && j < k->main + patches;
            const int64_t v_row = k->first + (j < k->main ? j : j - patches);
            row[n] = (int32_t)(patch ? im->count + b * patches + j - k->main : v_row);
            bias[n] = patch ? 0 : im->bias[v_row];
        }
    }
    int64_t b = 0;
    for (int64_t i = 0; i < in->cross_segments; i++) {
        segment[i] = in->cross[i];
        while (segment[i].k0 >= im->of_case[b].first + im->of_case[b].main) {
            b++;
        }
        segment[i].k0 += b * patches;
        segment[i].nk += patches;
    }
    keys.tokens = im->v == NULL ? NULL : mdf_gather_rows(g, mdf_concat_rows(g, im->v, u), row, n);
    keys.segment = segment;
    keys.bias = bias;
    return keys;
}

/* Keys and values are computed once per picture: the cache has them afterwards. */
static mdf_kv cross_kv(mdf_graph *g, const mdf_text *t, int n, const mdf_text_input *in,
                       mdf_tensor *tokens)
{
    const mdf_text_layer *l = &t->layer[n];
    mdf_kv_rows *rows = in->cache == NULL ? NULL : &in->cache->layer[n];
    if (rows != NULL && rows->rows > 0) {
        return mdf_kv_stored(g, in->cache, rows);
    }
    mdf_tensor *k = mdf_linear(g, tokens, l->k, NULL);
    const mdf_kv kv = {mdf_rms_norm(g, k, l->k_norm, (mdf_real)t->config->text.rms_norm_eps),
                       mdf_linear(g, tokens, l->v, NULL)};
    return rows == NULL ? kv : mdf_kv_store(g, in->cache, rows, kv);
}

/* inputs: x, image tokens. x + gate Attn(norm(x), tokens) */
static mdf_tensor *cross_attention(mdf_graph *g, const void *context, mdf_tensor *const inputs[])
{
    const text_part *p = context;
    const mdf_text *t = p->text;
    const mdf_text_input *in = &p->in;
    mdf_tensor *x = inputs[0];
    const mdf_text_layer *l = &t->layer[p->index];
    const mdf_config *c = t->config;
    const mdf_real eps = (mdf_real)c->text.rms_norm_eps;
    mdf_attn_plan plan = text_plan(c);
    plan.kind = MDF_ATTEND_FULL;
    plan.segment = p->segment;
    plan.segments = in->cross_segments;
    plan.key_bias = p->bias;
    mdf_tensor *n = mdf_rms_norm(g, x, l->norm1_w, eps);
    mdf_tensor *q = mdf_rms_norm(g, mdf_linear(g, n, l->q, NULL), l->q_norm, eps);
    const mdf_kv kv = cross_kv(g, t, p->index, in, inputs[1]);
    mdf_tensor *a = mdf_linear(g, mdf_attention(g, q, kv.k, kv.v, &plan), l->o, NULL);
    return mdf_gated_add(g, x, a, l->attn_gate, NULL);
}

/* inputs: x. x + gate MLP(norm(x)) of a cross layer */
static mdf_tensor *cross_mlp(mdf_graph *g, const void *context, mdf_tensor *const inputs[])
{
    const text_part *p = context;
    const mdf_text *t = p->text;
    const mdf_text_layer *l = &t->layer[p->index];
    mdf_tensor *x = inputs[0];
    mdf_tensor *m =
        mlp(g, l, mdf_rms_norm(g, x, l->norm2_w, (mdf_real)t->config->text.rms_norm_eps));
    m = drop(g, t, &p->in, 2 * p->index + 1, m);
    return mdf_gated_add(g, x, m, l->mlp_gate, p->in.row_mask);
}

/* U of the layer for a "concat" fusion, else NULL. A cache that has the layer's keys has U in them.
 */
static mdf_tensor *patches_to_join(mdf_graph *g, const mdf_text *t, int n, mdf_tensor *x,
                                   const mdf_text_input *in, const mdf_fusion *fusion,
                                   mdf_fusion_state *state)
{
    const mdf_config *c = t->config;
    if (state == NULL || state->cases == 0 || c->fusion.attend != MDF_FUSION_CONCAT ||
        (in->cache != NULL && in->cache->layer[n].rows > 0)) {
        return NULL;
    }
    for (int i = 0; i < c->fusion.map_count; i++) {
        if (c->fusion.map[i].layer == n) { /* one level per layer: concat allows no more */
            return mdf_fusion_tokens(g, fusion, state, i, x);
        }
    }
    return NULL;
}

/* One cross-attention layer with the fusion branches that the map puts there. *scope begins anew
 * behind what the fusion leaves for the decoder and for explanations. */
static mdf_tensor *cross_layer(mdf_graph *g, const mdf_text *t, int n, mdf_tensor *x,
                               const mdf_text_input *in, const mdf_image_tokens *image,
                               const mdf_fusion *fusion, mdf_fusion_state *state, mdf_scope *scope)
{
    const mdf_config *c = t->config;
    const bool fused = state != NULL && state->cases > 0 && mdf_config_fuses_at(c, n);
    mdf_tensor *u = patches_to_join(g, t, n, x, in, fusion, state);
    const mdf_scope part = mdf_scope_begin(g);
    cross_keys keys = {image->v, in->cross, image->bias};
    keys = u == NULL ? keys : join_patches(g, in, image, u, state->cases);
    const text_part attention = {t, *in, n, keys.segment, keys.bias};
    x = mdf_scope_keep(g, &part, run_part(g, cross_attention, &attention, x, keys.tokens));
    for (int i = 0; fused && c->fusion.attend == MDF_FUSION_BRANCH && i < c->fusion.map_count;
         i++) {
        if (c->fusion.map[i].layer == n) {
            x = mdf_fuse(g, fusion, state, i, x);
        }
    }
    if (fused) {
        *scope = mdf_scope_begin(g);
    }
    return run_part(g, cross_mlp, &(text_part){.text = t, .in = *in, .index = n}, x, NULL);
}

mdf_tensor *mdf_text_forward(mdf_graph *g, const mdf_text *t, const mdf_text_input *in,
                             const mdf_image_tokens *image, const mdf_fusion *fusion,
                             mdf_fusion_state *state)
{
    const mdf_config *c = t->config;
    const int64_t numbers = in->rows * c->text.hidden_size;
    mdf_scope scope = mdf_scope_begin(g);
    mdf_tensor *x = mdf_gather_rows(g, t->embed_tokens, in->token, in->rows);
    for (int n = 0; n < c->text.num_hidden_layers; n++) {
        if (!t->layer[n].cross) {
            const text_part p = {.text = t, .in = *in, .index = n};
            x = run_part(g, self_layer, &p, x, NULL);
        } else if (image->count > 0) {
            x = cross_layer(g, t, n, x, in, image, fusion, state, &scope);
        }
        x = mdf_scope_keep(g, &scope, x);
        if (in->trace != NULL && x != NULL) {
            memcpy(in->trace + n * numbers, x->data, (size_t)numbers * sizeof *x->data);
        }
    }
    return mdf_rms_norm(g, x, t->norm_w, (mdf_real)c->text.rms_norm_eps);
}
