/* The photographs of a split, decoded and cropped once and kept in memory. */
#ifndef MDF_DATA_SAMPLES_H
#define MDF_DATA_SAMPLES_H

#include "config/config.h"
#include "data/manifest.h"
#include "photo/fov.h"

enum {
    MDF_MASK_UNKNOWN = 128, /* value of a mask's pixel that may be either */
    MDF_DISC_SHARE = 7      /* a disc's diameter is about a 7th of the field of view's: 1.8 of 13 mm
                               at 45 degrees */
};

typedef struct mdf_sample {
    mdf_image image;               /* field-of-view crop, square */
    mdf_fov fov;                   /* of the picture, in pixels of the crop */
    mdf_grey mask[MDF_MASK_NAMES]; /* over the crop at any size, 0 or 255; px NULL: none */
    bool partial[MDF_MASK_NAMES];  /* what is 0 in that mask is not known to be nothing */
    bool only_centre;              /* of the disc: its mask is MDF_MASK_UNKNOWN around that */
    int label;                     /* -1 = unknown */
    int before, after; /* samples next to it that are the same photograph with another label */
    bool has_mask;     /* any */
    const mdf_manifest_case *info; /* of the manifest */
} mdf_sample;

typedef struct mdf_samples {
    mdf_sample *item;
    size_t count;
    uint8_t *known; /* [sources,classes] the labels that a data folder has; NULL: all of them */
    int classes;    /* of known */
} mdf_samples;

typedef struct mdf_samples_options {
    int side;                   /* larger crops are reduced to so many pixels */
    bool use_image;             /* false: no picture and no mask is read */
    const mdf_mask_name *masks; /* [mask_count] that are read */
    int mask_count;
} mdf_samples_options;

/* Called after every picture. Return false to stop. */
typedef bool mdf_samples_progress(void *user, size_t done, size_t total);

/* Decodes every case of the manifest (which must outlive *out). Masks are files (photo/mask.h) or
 * drawn from boxes: rectangles, of disc and cup the ellipse inside. MDF_ERR_STOPPED if progress
 * said so. */
mdf_status mdf_samples_load(mdf_samples *out, const mdf_manifest *m, const mdf_samples_options *opt,
                            mdf_samples_progress *progress, void *user,
                            mdf_error *err) MDF_NODISCARD;

/* Sets s->known from the labels of the samples. A folder that never says glaucoma says nothing
 * about glaucoma in its other eyes. */
mdf_status mdf_samples_know_labels(mdf_samples *s, int classes, mdf_error *err) MDF_NODISCARD;
void mdf_samples_free(mdf_samples *s);

#endif
