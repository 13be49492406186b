/* Who sees what in the masks of the model: causal text, the label tree behind it, vision tiles. */
#include "tensor/attention_sight.h"

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Invalid queries see no invalid keys: those at both ends are left out where all are invalid. */
static mdf_key_span pair_span(const mdf_attn_plan *p, const mdf_attn_segment *s, int64_t query,
                              int64_t queries)
{
    int64_t count = 0; /* of invalid queries */
    for (int64_t i = 0; i < queries; i++) {
        count += p->invalid[s->q0 + query + i] != 0;
    }
    if (count == 0) {
        return (mdf_key_span){0, s->nk, 0, 0};
    }
    const uint8_t *invalid = p->invalid + s->k0;
    int64_t from = 0;
    int64_t to = s->nk;
    while (count == queries && to > 0 && invalid[to - 1] != 0) {
        to--;
    }
    while (count == queries && from < to && invalid[from] != 0) {
        from++;
    }
    int64_t first = from; /* and last: between them are the invalid keys that are left */
    int64_t last = to;
    while (first < last && invalid[first] == 0) {
        first++;
    }
    while (first < last && invalid[last - 1] == 0) {
        last--;
    }
    return (mdf_key_span){from, to, first, last};
}

mdf_key_span mdf_sight_span(const void *context, int64_t query, int64_t queries)
{
    const mdf_segment_sight *sight = context;
    const mdf_attn_plan *p = sight->plan;
    const mdf_attn_segment *s = sight->segment;
    const int64_t own = s->past + query; /* the first query's own key */
    const int64_t last = own + queries - 1;
    int64_t to = s->nk;
    switch (p->kind) {
    case MDF_ATTEND_FULL:
        break;
    case MDF_ATTEND_CAUSAL:
        to = smaller(last + 1, s->nk);
        return (mdf_key_span){0, to, smaller(own + 1, to), to};
    case MDF_ATTEND_TREE:
        to = last < s->prefix ? smaller(last + 1, s->nk) : s->nk;
        return (mdf_key_span){0, to, smaller(smaller(own + 1, s->prefix), to), to};
    case MDF_ATTEND_PAIR:
        return pair_span(p, s, query, queries);
    }
    return (mdf_key_span){0, to, to, to};
}

/* Forbids what a query may not see of some keys. */
void mdf_sight_mask(const void *context, int64_t query, int64_t key, int64_t keys, mdf_real *score,
                    int64_t stride)
{
    const mdf_segment_sight *sight = context;
    const mdf_attn_plan *p = sight->plan;
    const mdf_attn_segment *s = sight->segment;
    const mdf_real none = -(mdf_real)INFINITY;
    const int64_t own = s->past + query;
    const int64_t ahead = own + 1 > key ? own + 1 - key : 0; /* of these keys, the first behind */
    switch (p->kind) {
    case MDF_ATTEND_FULL:
        break;
    case MDF_ATTEND_CAUSAL:
        for (int64_t j = ahead; j < keys; j++) {
            score[j * stride] = none;
        }
        break;
    case MDF_ATTEND_TREE:
        for (int64_t j = own < s->prefix ? ahead : 0; j < keys; j++) {
            const bool seen =
                own >= s->prefix &&
                (key + j < s->prefix ||
                 p->tree[(own - s->prefix) * p->tree_nodes + (key + j - s->prefix)] != 0);
            score[j * stride] = seen ? score[j * stride] : none;
        }
        break;
    case MDF_ATTEND_PAIR:
        for (int64_t j = 0; p->invalid[s->q0 + query] != 0 && j < keys; j++) {
            score[j * stride] = p->invalid[s->k0 + key + j] != 0 ? none : score[j * stride];
        }
        break;
    }
}

static int64_t clip(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

mdf_key_span mdf_piece_span(const void *context, int64_t query, int64_t queries)
{
    const mdf_piece_sight *piece = context;
    const mdf_key_span s = mdf_sight_span(&piece->whole, query, queries);
    const int64_t from = clip(s.from, piece->from, piece->to);
    const int64_t to = clip(s.to, from, piece->to);
    return (mdf_key_span){from, to, clip(s.mask_from, from, to), clip(s.mask_to, from, to)};
}
