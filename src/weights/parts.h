/* The parts of a model, by the names of its tensors: for counting and for choosing number formats.
 */
#ifndef MDF_WEIGHTS_PARTS_H
#define MDF_WEIGHTS_PARTS_H

#include "config/config.h"
#include "nn/params.h"
#include "weights/weights.h"

typedef enum mdf_part {
    MDF_PART_VISION,
    MDF_PART_PROJECTOR,
    MDF_PART_TEXT_SELF,  /* self-attention layers */
    MDF_PART_TEXT_CROSS, /* cross-attention layers */
    MDF_PART_EMBEDDINGS, /* embedding table, last norm, head */
    MDF_PART_UNET,
    MDF_PART_FUSION,
    MDF_PART_OTHER /* of a file: belongs to no model */
} mdf_part;
enum { MDF_PARTS = 8 };

const char *mdf_part_name(mdf_part part); /* "text_self" */

/* Which layers of the text model are cross-attention layers. */
typedef struct mdf_cross_layers {
    bool is[MDF_MAX_LAYERS];
} mdf_cross_layers;

mdf_cross_layers mdf_cross_layers_of(const mdf_config *c);
mdf_cross_layers mdf_cross_layers_in(const mdf_weights *w); /* by what the files hold */

/* name: this project's. */
mdf_part mdf_part_of(const char *name, const mdf_cross_layers *cross);

typedef struct mdf_part_count {
    size_t tensors;
    int64_t numbers;
    size_t bytes; /* in files; 0 when only declared */
} mdf_part_count;

void mdf_parts_of_params(mdf_part_count count[MDF_PARTS], const mdf_params *p, const mdf_config *c);
void mdf_parts_of_weights(mdf_part_count count[MDF_PARTS], const mdf_weights *w);

#endif
