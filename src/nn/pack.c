/* The text of a batch as packed rows: tokens, positions, and who sees what. */
#include "nn/pack.h"

static int64_t tree_nodes(const mdf_batch *b)
{
    return b->tree == NULL ? 0 : b->tree->nodes;
}

/* Image tokens that follow one another directly are a group: the text behind it sees them all.
 * First picture of the group that picture j of a case belongs to. */
static int64_t group_begin(const int32_t *at, int64_t j)
{
    while (j > 0 && at[j] == at[j - 1] + 1) {
        j--;
    }
    return j;
}

/* From the first picture of j's group to picture j itself. */
static mdf_key_range seen_keys(const mdf_picture *picture, const int32_t *at, int64_t j)
{
    const mdf_picture *first = &picture[group_begin(at, j)];
    return (mdf_key_range){first->first, picture[j].first + picture[j].count - first->first};
}

mdf_key_range mdf_pack_last_keys(const mdf_batch *b, const mdf_image_tokens *image, int64_t i)
{
    if (image->count == 0 || image->of_case[i].pictures == 0) {
        return (mdf_key_range){0, 0};
    }
    const mdf_case_tokens *k = &image->of_case[i];
    return seen_keys(image->picture + k->picture0, b->image_at + k->picture0, k->pictures - 1);
}

/* The image tokens' places must be ascending and inside the prompt. */
static bool places_fit(mdf_graph *g, const mdf_batch *b, int64_t i, const mdf_case_tokens *k)
{
    int32_t before = -1;
    for (int64_t j = 0; j < k->pictures; j++) {
        const int32_t at = b->image_at[k->picture0 + j];
        if (at <= before || at >= b->prompt_len[i]) {
            (void)mdf_graph_fail(g, MDF_ERR_ARG, "text",
                                 "case %lld: picture %lld has no image token in the prompt",
                                 (long long)i, (long long)j);
            return false;
        }
        before = at;
    }
    return true;
}

/* Which tokens known, known+1, .. of a case's `rows` see which image tokens; query 0 is `known`.
 * Tokens before the first picture: all of them, the unused tiles' too, or none. */
static int64_t case_segments(const mdf_config *c, const mdf_case_tokens *k,
                             const mdf_picture *picture, const int32_t *at, int64_t known,
                             int64_t rows, mdf_attn_segment *segment)
{
    int64_t n = 0;
    if (k->pictures > 0 && at[0] > known && c->text.leak_rows) {
        segment[n++] = (mdf_attn_segment){0, at[0] - known, k->first, k->main + k->spare, 0, 0};
    }
    for (int64_t j = 0; j < k->pictures; j++) {
        const mdf_key_range seen = seen_keys(picture, at, j);
        const int64_t begin = at[j] > known ? at[j] : known;
        const int64_t end = j + 1 < k->pictures ? at[j + 1] : rows;
        if (end > begin) {
            segment[n++] =
                (mdf_attn_segment){begin - known, end - begin, seen.first, seen.count, 0, 0};
        }
    }
    return n;
}

int64_t mdf_pack_rest(const mdf_config *c, const mdf_image_tokens *image, const int32_t *image_at,
                      int64_t known, int64_t rows, mdf_attn_segment *segment)
{
    return case_segments(c, image->of_case, image->picture, image_at, known, rows, segment);
}

/* Those of case i. */
static bool cross_segments(mdf_graph *g, const mdf_config *c, const mdf_batch *b,
                           const mdf_image_tokens *image, int64_t i, mdf_packed *p,
                           mdf_attn_segment *segment)
{
    const mdf_case_tokens *k = &image->of_case[i];
    const int32_t *at = b->image_at + k->picture0;
    const int64_t rows = b->prompt_len[i] + tree_nodes(b);
    const int64_t row0 = p->row0[i];
    if (!places_fit(g, b, i, k)) {
        return false;
    }
    segment += p->in.cross_segments;
    const int64_t n = case_segments(c, k, image->picture + k->picture0, at, 0, rows, segment);
    for (int64_t j = 0; j < n; j++) {
        segment[j].q0 += row0;
    }
    p->in.cross_segments += n;
    return true;
}

static bool pack_pictures(mdf_graph *g, const mdf_config *c, const mdf_batch *b,
                          const mdf_image_tokens *image, mdf_packed *p)
{
    int64_t most = 0;
    for (int64_t i = 0; i < b->cases; i++) {
        const int64_t pictures = image->of_case[i].pictures;
        if (pictures > 1 && c->fusion.attend == MDF_FUSION_CONCAT && c->fusion.map_count > 0) {
            (void)mdf_graph_fail(g, MDF_ERR_ARG, "text",
                                 "fusion_config.attend = \"concat\" takes one picture per case");
            return false;
        }
        most += pictures + 1;
    }
    mdf_attn_segment *segment = mdf_graph_alloc(g, most, sizeof *segment);
    if (segment == NULL) {
        return false;
    }
    for (int64_t i = 0; i < b->cases; i++) {
        if (!cross_segments(g, c, b, image, i, p, segment)) {
            return false;
        }
        if (image->of_case[i].pictures == 0) {
            p->patches[i].nq = 0; /* as without any picture: cross layers are skipped */
        }
    }
    p->in.cross = segment;
    return true;
}

/* Tokens, positions and row masks of case i. */
static void fill_rows(const mdf_batch *b, const mdf_image_tokens *image, int64_t i,
                      const int32_t *prompt, int32_t *token, int32_t *position, uint8_t *row_mask)
{
    const bool sees = image->count > 0 && image->of_case[i].pictures > 0;
    const int32_t first = sees ? b->image_at[image->of_case[i].picture0] : 0;
    const int32_t len = b->prompt_len[i];
    for (int32_t j = 0; j < len; j++) {
        token[j] = prompt[j];
        position[j] = j;
        row_mask[j] = sees && j >= first; /* trap 4 */
    }
    for (int64_t j = 0; j < tree_nodes(b); j++) {
        token[len + j] = b->tree->token[j];
        position[len + j] = len + b->tree->depth[j];
        row_mask[len + j] = sees;
    }
}

bool mdf_pack(mdf_graph *g, const mdf_config *c, const mdf_batch *b, const mdf_image_tokens *image,
              mdf_packed *p)
{
    const int64_t nodes = tree_nodes(b);
    const int64_t patches = (int64_t)c->fusion.grid * c->fusion.grid;
    *p = (mdf_packed){0};
    p->row0 = mdf_graph_alloc(g, b->cases, sizeof *p->row0);
    p->patches = mdf_graph_alloc(g, b->cases, sizeof *p->patches);
    mdf_attn_segment *self = mdf_graph_alloc(g, b->cases, sizeof *self);
    int64_t rows = 0;
    for (int64_t i = 0; i < b->cases; i++) {
        rows += b->prompt_len[i] + nodes;
    }
    int32_t *token = mdf_graph_alloc(g, rows, sizeof *token);
    int32_t *position = mdf_graph_alloc(g, rows, sizeof *position);
    uint8_t *row_mask = mdf_graph_alloc(g, rows, 1);
    if (g->error.code != MDF_OK) {
        return false;
    }
    int64_t at = 0;
    const int32_t *prompt = b->prompt;
    for (int64_t i = 0; i < b->cases; i++) {
        const int64_t n = b->prompt_len[i] + nodes;
        p->row0[i] = (int32_t)at;
        self[i] = (mdf_attn_segment){at, n, at, n, b->prompt_len[i], 0};
        p->patches[i] = (mdf_attn_segment){at, n, i * patches, patches, 0, 0};
        fill_rows(b, image, i, prompt, token + at, position + at, row_mask + at);
        prompt += b->prompt_len[i];
        at += n;
    }
    p->in = (mdf_text_input){.rows = rows,
                             .token = token,
                             .position = position,
                             .self = self,
                             .self_segments = b->cases,
                             .tree = b->tree == NULL ? NULL : b->tree->mask,
                             .tree_nodes = nodes,
                             .row_mask = row_mask,
                             .dropout_seed = b->dropout_seed};
    return image->count == 0 || pack_pictures(g, c, b, image, p);
}
