/* Multiplications and additions of the parts of a model. */
#include "bench/bench_parts.h"

/* Tokens of a tile with its class token; those that are computed, padding included. */
static double tile_tokens(const mdf_config *c, bool padded)
{
    enum { MULTIPLE = 8 };
    const int64_t side = c->vision.image_size / c->vision.patch_size;
    const int64_t p = side * side + 1;
    const int64_t pad = (MULTIPLE - p % MULTIPLE) % MULTIPLE;
    if (!padded) {
        return (double)p;
    }
    return (double)(c->vision.deduplicate ? p + (pad > 0 ? 1 : 0) : p + pad);
}

/* Tiles that are computed: unused ones are all alike. */
static double computed_tiles(const mdf_config *c, int tiles)
{
    const int spare = c->vision.max_num_tiles - tiles;
    return tiles + (c->vision.deduplicate && spare > 1 ? 1 : spare);
}

double mdf_bench_vision_flops(const mdf_config *c, int tiles)
{
    const mdf_vision_config *v = &c->vision;
    const double d = v->hidden_size;
    const double seen = computed_tiles(c, tiles);
    const double p = tile_tokens(c, false);
    const double rows = seen * tile_tokens(c, true);
    const double layer =
        2 * rows * (4 * d * d + 2 * d * v->intermediate_size) + 4 * rows * rows * d;
    const double head = (double)c->text.hidden_size / c->text.num_attention_heads;
    const double keys = 2 * head * c->text.num_key_value_heads * c->text.cross_count;
    return 2 * tiles * (p - 1) * d * 3 * v->patch_size * v->patch_size +
           (v->num_hidden_layers + v->num_global_layers) * layer +
           2 * seen * p * c->text.hidden_size * (mdf_config_vision_output(c) + keys);
}

double mdf_bench_text_flops(const mdf_config *c, double rows, double answers, int tiles)
{
    const mdf_text_config *t = &c->text;
    const double d = t->hidden_size;
    const double kv = d / t->num_attention_heads * t->num_key_value_heads;
    const double self = t->num_hidden_layers - t->cross_count;
    const double each = 2 * d * d + 3 * d * t->intermediate_size; /* query, output, MLP */
    const double layers = tiles > 0 ? t->num_hidden_layers : self;
    const double keys = tiles > 0 ? tiles * tile_tokens(c, false) : 0;
    return 2 * rows * (layers * each + self * 2 * d * kv) + 4 * rows * keys * d * t->cross_count +
           2 * answers * d * t->vocab_size;
}
