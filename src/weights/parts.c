/* The parts of a model, by the names of its tensors. */
#include "weights/parts.h"

#include <stdlib.h>
#include <string.h>

#define TEXT   "model.language_model."
#define LAYERS TEXT "layers."

static const char *const names[MDF_PARTS] = {"vision",     "projector", "text_self", "text_cross",
                                             "embeddings", "unet",      "fusion",    "other"};

const char *mdf_part_name(mdf_part part)
{
    return names[part];
}

static bool begins(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* Number of the text layer that a tensor belongs to, or -1. */
static int layer_of(const char *name)
{
    if (!begins(name, LAYERS)) {
        return -1;
    }
    char *end = NULL;
    const long n = strtol(name + strlen(LAYERS), &end, 10);
    return *end == '.' && n >= 0 && n < MDF_MAX_LAYERS ? (int)n : -1;
}

mdf_cross_layers mdf_cross_layers_of(const mdf_config *c)
{
    mdf_cross_layers cross = {{false}};
    for (int i = 0; i < c->text.cross_count; i++) {
        cross.is[c->text.cross_attention_layers[i]] = true;
    }
    return cross;
}

mdf_cross_layers mdf_cross_layers_in(const mdf_weights *w)
{
    mdf_cross_layers cross = {{false}};
    for (size_t i = 0; i < w->count; i++) {
        const int layer = layer_of(w->item[i].name);
        if (layer >= 0 && strstr(w->item[i].name, ".cross_attn") != NULL) {
            cross.is[layer] = true;
        }
    }
    return cross;
}

mdf_part mdf_part_of(const char *name, const mdf_cross_layers *cross)
{
    static const struct {
        const char *prefix;
        mdf_part part;
    } known[] = {
        {"model.vision_model.", MDF_PART_VISION},
        {"model.multi_modal_projector.", MDF_PART_PROJECTOR},
        {TEXT "embed_tokens.", MDF_PART_EMBEDDINGS},
        {TEXT "norm.", MDF_PART_EMBEDDINGS},
        {"lm_head.", MDF_PART_EMBEDDINGS},
        {"unet.", MDF_PART_UNET},
        {"mdf.level.", MDF_PART_FUSION},
        {"mdf.block.", MDF_PART_FUSION},
    };
    const int layer = layer_of(name);
    if (layer >= 0) {
        return cross->is[layer] ? MDF_PART_TEXT_CROSS : MDF_PART_TEXT_SELF;
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (begins(name, known[i].prefix)) {
            return known[i].part;
        }
    }
    return MDF_PART_OTHER;
}

void mdf_parts_of_params(mdf_part_count count[MDF_PARTS], const mdf_params *p, const mdf_config *c)
{
    const mdf_cross_layers cross = mdf_cross_layers_of(c);
    memset(count, 0, MDF_PARTS * sizeof *count);
    for (size_t i = 0; i < p->count; i++) {
        mdf_part_count *n = &count[mdf_part_of(p->item[i]->tensor.name, &cross)];
        n->tensors++;
        n->numbers += mdf_tensor_count(&p->item[i]->tensor);
    }
}

void mdf_parts_of_weights(mdf_part_count count[MDF_PARTS], const mdf_weights *w)
{
    const mdf_cross_layers cross = mdf_cross_layers_in(w);
    memset(count, 0, MDF_PARTS * sizeof *count);
    for (size_t i = 0; i < w->count; i++) {
        mdf_part_count *n = &count[mdf_part_of(w->item[i].name, &cross)];
        n->tensors++;
        n->numbers += (int64_t)w->item[i].tensor->count;
        n->bytes += w->item[i].tensor->bytes;
    }
}
