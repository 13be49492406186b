/* What the paper adds: U-Net skips, modulated by the text (FiLM), projected patch by patch and
 * fused into the language model by gated cross-attention (docs/MODEL.md section 4). */
#include "nn/fusion.h"

#include <string.h>

#include "tensor/op.h"

static const mdf_real fusion_eps = MDF_R(1e-5);

static void declare_level(mdf_fusion_level *l, const mdf_config *c, mdf_params *p, int level)
{
    const mdf_group gr = MDF_GROUP_FUSION;
    const int64_t d = c->text.hidden_size;
    const int64_t ch = mdf_unet_channels(c, level);
    const int64_t cells = (int64_t)c->fusion.cells * c->fusion.cells * ch;
    const int64_t patches = (int64_t)c->fusion.grid * c->fusion.grid;
    const int64_t hidden = c->fusion.film_hidden;
    const double sd = c->text.initializer_range;
    const bool to_unet = c->fusion.film_direction == MDF_FILM_TEXT_TO_UNET;
    if (c->fusion.film_direction != MDF_FILM_NONE) {
        const int64_t from = to_unet ? d : ch;
        const int64_t to = to_unet ? 2 * ch : 2 * d;
        l->film1_w = mdf_param_add(p, gr, MDF_INIT_HE, 0, 2, (int64_t[]){hidden, from},
                                   "mdf.level.%d.film.fc1.weight", level);
        l->film1_b =
            mdf_param_add(p, gr, MDF_INIT_ZERO, 0, 1, &hidden, "mdf.level.%d.film.fc1.bias", level);
        l->film2_w = mdf_param_add(p, gr, MDF_INIT_ZERO, 0, 2, (int64_t[]){to, hidden},
                                   "mdf.level.%d.film.fc2.weight", level);
        l->film2_b =
            mdf_param_add(p, gr, MDF_INIT_ZERO, 0, 1, &to, "mdf.level.%d.film.fc2.bias", level);
    }
    l->proj_w = mdf_param_add(p, gr, MDF_INIT_HE, 0, 2, (int64_t[]){d, cells},
                              "mdf.level.%d.proj.weight", level);
    l->proj_b = mdf_param_add(p, gr, MDF_INIT_ZERO, 0, 1, &d, "mdf.level.%d.proj.bias", level);
    l->norm_w = mdf_param_add(p, gr, MDF_INIT_ONE, 0, 1, &d, "mdf.level.%d.norm.weight", level);
    l->level =
        mdf_param_add(p, gr, MDF_INIT_NORMAL, sd, 1, &d, "mdf.level.%d.level_embedding", level);
    l->position = mdf_param_add(p, gr, MDF_INIT_NORMAL, sd, 2, (int64_t[]){patches, d},
                                "mdf.level.%d.position_embedding", level);
}

static void declare_block(mdf_fusion_block *b, const mdf_config *c, mdf_params *p, int i)
{
    const mdf_group gr = MDF_GROUP_FUSION;
    const int64_t d = c->text.hidden_size;
    const int64_t hd = d / c->text.num_attention_heads;
    const int64_t kv = hd * c->text.num_key_value_heads;
    const int64_t one = 1;
    const double sd = c->text.initializer_range;
#define ADD(init, arg, rank, dims, suffix)                                                         \
    mdf_param_add(p, gr, init, arg, rank, dims, "mdf.block.%d.%s", i, suffix)
    b->norm_w = ADD(MDF_INIT_ONE, 0, 1, &d, "input_layernorm.weight");
    b->q = ADD(MDF_INIT_NORMAL, sd, 2, ((int64_t[]){d, d}), "q_proj.weight");
    b->k = ADD(MDF_INIT_NORMAL, sd, 2, ((int64_t[]){kv, d}), "k_proj.weight");
    b->v = ADD(MDF_INIT_NORMAL, sd, 2, ((int64_t[]){kv, d}), "v_proj.weight");
    b->o = ADD(MDF_INIT_NORMAL, sd, 2, ((int64_t[]){d, d}), "o_proj.weight");
    b->q_norm = ADD(MDF_INIT_ONE, 0, 1, &hd, "q_norm.weight");
    b->k_norm = ADD(MDF_INIT_ONE, 0, 1, &hd, "k_norm.weight");
    b->gate = ADD(MDF_INIT_CONST, c->fusion.gate_init, 1, &one, "gate");
#undef ADD
}

void mdf_fusion_declare(mdf_fusion *f, const mdf_config *c, mdf_params *p)
{
    *f = (mdf_fusion){.config = c};
    f->block = mdf_arena_zalloc(&p->arena, (size_t)c->fusion.map_count + 1, sizeof *f->block);
    if (f->block == NULL) {
        (void)mdf_fail(&p->error, MDF_ERR_NOMEM, "out of memory for the fusion blocks");
        return;
    }
    for (int l = 1; l <= MDF_UNET_LEVELS; l++) {
        if (mdf_config_uses_level(c, l)) {
            declare_level(&f->level[l], c, p, l);
        }
    }
    for (int i = 0; c->fusion.attend == MDF_FUSION_BRANCH && i < c->fusion.map_count; i++) {
        declare_block(&f->block[i], c, p, i);
    }
}

mdf_fusion_state mdf_fusion_begin(mdf_graph *g, const mdf_fusion *f, const mdf_unet *u,
                                  mdf_tensor *image, mdf_taps *taps)
{
    mdf_fusion_state s = {0};
    if (image == NULL) {
        return s;
    }
    const mdf_config *c = f->config;
    mdf_tap *fused = taps != NULL && taps->fused ? taps->pooled : NULL;
    s.taps = taps;
    s.cases = image->dim[0];
    s.unet = mdf_unet_encode(g, u, image, taps);
    s.seen_mid = mdf_tap_into(g, fused == NULL ? NULL : &fused[MDF_TAP_LEVELS], s.unet.mid);
    for (int l = 1; l <= MDF_UNET_LEVELS; l++) {
        if (mdf_config_uses_level(c, l)) {
            s.normed[l] = mdf_group_norm(g, s.unet.skip[l], NULL, NULL, c->unet.norm_groups,
                                         fusion_eps, false);
            s.pooled[l] =
                mdf_tap_into(g, fused == NULL ? NULL : &fused[l],
                             mdf_patch_pool(g, s.normed[l], c->fusion.grid, c->fusion.cells));
        }
    }
    return s;
}

/* Row ranges that cover each case's patches, and patch numbers: [B] and [B*g*g]. */
static bool patch_rows(mdf_graph *g, int64_t cases, int64_t patches, int64_t cells, int32_t **begin,
                       int32_t **count, int32_t **patch, int32_t **zero)
{
    *begin = mdf_graph_alloc(g, cases, sizeof **begin);
    *count = mdf_graph_alloc(g, cases, sizeof **count);
    *patch = mdf_graph_alloc(g, cases * patches, sizeof **patch);
    *zero = mdf_graph_alloc(g, cases * patches, sizeof **zero);
    if (g->error.code != MDF_OK) {
        return false;
    }
    for (int64_t b = 0; b < cases; b++) {
        (*begin)[b] = (int32_t)(b * patches * cells);
        (*count)[b] = (int32_t)(patches * cells);
        for (int64_t i = 0; i < patches; i++) {
            (*patch)[b * patches + i] = (int32_t)i;
            (*zero)[b * patches + i] = 0;
        }
    }
    return true;
}

/* [gamma | beta] = W2 gelu(W1 c + b1) + b2 */
static mdf_tensor *film_of(mdf_graph *g, const mdf_fusion_level *l, mdf_tensor *c)
{
    mdf_tensor *hidden = mdf_gelu(g, mdf_linear(g, c, l->film1_w, l->film1_b));
    return mdf_linear(g, hidden, l->film2_w, l->film2_b);
}

mdf_tensor *mdf_fusion_tokens(mdf_graph *g, const mdf_fusion *f, mdf_fusion_state *s, int i,
                              mdf_tensor *h)
{
    const mdf_config *c = f->config;
    const int level = c->fusion.map[i].level;
    const mdf_fusion_level *l = &f->level[level];
    const int64_t patches = (int64_t)c->fusion.grid * c->fusion.grid;
    int32_t *begin = NULL;
    int32_t *count = NULL;
    int32_t *patch = NULL;
    int32_t *zero = NULL;
    if (!patch_rows(g, s->cases, patches, 1, &begin, &count, &patch, &zero)) {
        return NULL;
    }
    mdf_tensor *x = s->pooled[level];
    if (c->fusion.film_direction == MDF_FILM_TEXT_TO_UNET) {
        s->film[level] = film_of(g, l, mdf_mean_rows(g, h, s->row0, s->prompt_len, s->cases));
        x = mdf_film(g, x, s->film[level]);
    }
    x = mdf_rms_norm(g, mdf_linear(g, x, l->proj_w, l->proj_b), l->norm_w, fusion_eps);
    mdf_tensor *level_row = mdf_reshape(g, l->level, 2, (int64_t[]){1, c->text.hidden_size});
    x = mdf_add_rows(g, x, level_row, NULL, false, zero);
    x = mdf_add_rows(g, x, l->position, NULL, false, patch);
    s->tokens[level] = x;
    return x;
}

/* film_direction "unet_to_text": gamma | beta [B,2D] of the level's mean features. */
static mdf_tensor *query_film(mdf_graph *g, const mdf_fusion *f, const mdf_fusion_state *s, int i)
{
    const mdf_config *c = f->config;
    const int level = c->fusion.map[i].level;
    const int64_t patches = (int64_t)c->fusion.grid * c->fusion.grid;
    const int64_t cells = (int64_t)c->fusion.cells * c->fusion.cells;
    const int64_t ch = mdf_unet_channels(c, level);
    mdf_tensor *known = s->cache == NULL ? NULL : mdf_kv_stored_film(g, s->cache, i);
    if (known != NULL) {
        return known;
    }
    int32_t *begin = NULL;
    int32_t *count = NULL;
    int32_t *patch = NULL;
    int32_t *zero = NULL;
    if (!patch_rows(g, s->cases, patches, cells, &begin, &count, &patch, &zero)) {
        return NULL;
    }
    mdf_tensor *cell_rows =
        mdf_reshape(g, s->pooled[level], 2, (int64_t[]){s->cases * patches * cells, ch});
    mdf_tensor *film =
        film_of(g, &f->level[level], mdf_mean_rows(g, cell_rows, begin, count, s->cases));
    if (s->cache != NULL) {
        mdf_kv_store_film(s->cache, i, film);
    }
    return film;
}

/* Every text row of a case takes the same gamma and beta, so x is modulated case by case. */
static mdf_tensor *modulate_queries(mdf_graph *g, const mdf_fusion *f, const mdf_fusion_state *s,
                                    int i, mdf_tensor *x)
{
    mdf_tensor *film = query_film(g, f, s, i);
    /* spread [B,2D] over the packed rows, then one FiLM "case" per row */
    int32_t *case_of = x == NULL ? NULL : mdf_graph_alloc(g, mdf_row_count(x), sizeof *case_of);
    if (case_of == NULL) {
        return NULL;
    }
    memset(case_of, 0, (size_t)mdf_row_count(x) * sizeof *case_of); /* rows without patches */
    for (int64_t b = 0; b < s->cases; b++) {
        for (int64_t r = 0; r < s->segment[b].nq; r++) {
            case_of[s->segment[b].q0 + r] = (int32_t)b;
        }
    }
    film = mdf_gather_rows(g, film, case_of, mdf_row_count(x));
    return mdf_film(g, x, film);
}

/* Keys and values of the branch's patches; the cache has them afterwards. */
static mdf_kv branch_kv(mdf_graph *g, const mdf_fusion *f, mdf_fusion_state *s, int i,
                        mdf_tensor *h)
{
    const mdf_fusion_block *b = &f->block[i];
    mdf_kv_rows *rows = s->cache == NULL ? NULL : &s->cache->branch[i];
    if (rows != NULL && rows->rows > 0) {
        return mdf_kv_stored(g, s->cache, rows);
    }
    mdf_tensor *u = mdf_fusion_tokens(g, f, s, i, h);
    mdf_tensor *k = mdf_linear(g, u, b->k, NULL);
    mdf_tap *tap = s->taps != NULL && s->taps->values ? &s->taps->block[i] : NULL;
    const mdf_kv kv = {mdf_rms_norm(g, k, b->k_norm, (mdf_real)f->config->text.rms_norm_eps),
                       mdf_tap_into(g, tap, mdf_linear(g, u, b->v, NULL))};
    return rows == NULL ? kv : mdf_kv_store(g, s->cache, rows, kv);
}

mdf_tensor *mdf_fuse(mdf_graph *g, const mdf_fusion *f, mdf_fusion_state *s, int i, mdf_tensor *h)
{
    const mdf_config *c = f->config;
    const mdf_fusion_block *b = &f->block[i];
    const mdf_real eps = (mdf_real)c->text.rms_norm_eps;
    const mdf_kv kv = branch_kv(g, f, s, i, h);
    mdf_tensor *x = mdf_rms_norm(g, h, b->norm_w, eps);
    if (c->fusion.film_direction == MDF_FILM_UNET_TO_TEXT) {
        x = modulate_queries(g, f, s, i, x);
    }
    const mdf_attn_plan plan = {.kind = MDF_ATTEND_FULL,
                                .heads = c->text.num_attention_heads,
                                .kv_heads = c->text.num_key_value_heads,
                                .head_dim = c->text.hidden_size / c->text.num_attention_heads,
                                .segment = s->segment,
                                .segments = s->cases,
                                .map_out = s->map_out == NULL ? NULL : s->map_out[i]};
    mdf_tensor *q = mdf_rms_norm(g, mdf_linear(g, x, b->q, NULL), b->q_norm, eps);
    mdf_tensor *a = mdf_linear(g, mdf_attention(g, q, kv.k, kv.v, &plan), b->o, NULL);
    return mdf_gated_add(g, h, a, b->gate, NULL);
}

mdf_tensor *mdf_fusion_masks(mdf_graph *g, const mdf_unet *u, const mdf_fusion_state *s)
{
    mdf_unet_features seen = s->unet;
    for (int l = 1; l <= MDF_UNET_LEVELS; l++) {
        if (s->film[l] != NULL) {
            seen.skip[l] = mdf_film(g, s->normed[l], s->film[l]); /* else as it is */
        }
    }
    return mdf_unet_decode(g, u, &seen);
}
