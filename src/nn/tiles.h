/* Which token of which tile stands where in the vision tower's sequences, and which tokens stand
 * for several equal ones (docs/MODEL.md section 3). */
#ifndef MDF_NN_TILES_H
#define MDF_NN_TILES_H

#include "config/config.h"
#include "nn/batch.h"

/* Rows and columns of tiles of an aspect ratio id: 1.. in row-major order of all grids of at most
 * max_num_tiles tiles. False: no such id. */
bool mdf_tile_grid(const mdf_config *c, int id, int *rows, int *columns);

/* count pictures' planes [3,side,side], as mdf_mllama_image() writes them, to [side,side,3]. */
void mdf_tiles_from_planes(mdf_real *tiles, const float *planes, int64_t count, int64_t side);

/* One picture's sequence of tiles: the used ones, then what is computed of the unused slots. */
typedef struct mdf_picture {
    int64_t id;           /* aspect ratio id */
    int64_t used, spare;  /* tiles of the sequence */
    int64_t spare_weight; /* slots that each spare tile stands for */
    bool spare_rows;      /* spare tiles have rows in the tile tables that are not zero */
    int64_t tile0, row0;  /* first tile of the batch, first row of all sequences */
    int64_t first, count; /* image tokens of its used tiles among all image tokens */
} mdf_picture;

/* A case's image tokens: those of all its used tiles, picture by picture, then the spare ones. */
typedef struct mdf_case_tokens {
    int64_t first, main, spare;
    int64_t picture0, pictures;
} mdf_case_tokens;

typedef struct mdf_tiles {
    int64_t cases, pictures;
    int64_t patches, p; /* of a tile; p = patches + class token */
    int64_t pad,
        pad_weight;       /* padding tokens that are computed per tile, and what each stands for */
    int64_t tile;         /* p + pad: tokens of a tile */
    int64_t tiles, rows;  /* used tiles; rows of all sequences */
    int64_t tokens;       /* image tokens of all cases */
    mdf_picture *picture; /* [pictures] */
    mdf_case_tokens *of_case; /* [cases] */
    /* Row maps [rows], -1 = nothing. */
    int32_t *source;   /* into [patch embeddings; class embedding] */
    int32_t *pre_tile; /* into pre_tile as [ids*T, Dv] */
    int32_t *position; /* into position: every token but padding */
    int32_t *in_tile;  /* into tile_position as [ids*T*P, Dv] */
    int32_t *unpad;    /* itself, or -1 where it is padding: those are zero after the first norm */
    int32_t *post;     /* into post_tile as [ids*T, Dv] */
    uint8_t *invalid;  /* padding, or of a spare tile */
    mdf_real *bias;    /* ln of how many tokens it stands for */
    /* Image tokens [tokens]. */
    int32_t *keep;        /* row of the sequences */
    mdf_real *token_bias; /* ln of how many tokens it stands for */
} mdf_tiles;

/* Rows of the three tables that unused slots of an id may look up; NULL tables count as zero. */
typedef struct mdf_tile_tables {
    const mdf_tensor *pre, *position, *post;
} mdf_tile_tables;

/* The plan of b's pictures, in the graph's memory. False: the graph has the error. */
bool mdf_tiles_plan(mdf_graph *g, const mdf_config *c, const mdf_batch *b,
                    const mdf_tile_tables *tables, mdf_tiles *t);

#endif
