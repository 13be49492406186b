/* The photographs of a split, decoded and cropped once and kept in memory. */
#ifndef MDF_DATA_SAMPLES_H
#define MDF_DATA_SAMPLES_H

#include "data/manifest.h"
#include "photo/image.h"

typedef struct mdf_sample {
    mdf_image image;  /* field-of-view crop, square */
    mdf_grey mask[2]; /* vessel, lesion, 0 or 255 (photo/mask.h); px NULL = none */
    int label;        /* -1 = unknown */
    bool has_mask;
    const mdf_manifest_case *info; /* of the manifest */
} mdf_sample;

typedef struct mdf_samples {
    mdf_sample *item;
    size_t count;
} mdf_samples;

/* The mask of what a heat-map should show; NULL: there is none. */
const mdf_grey *mdf_sample_lesions(const mdf_sample *s);

/* Called after every picture. Return false to stop. */
typedef bool mdf_samples_progress(void *user, size_t done, size_t total);

/* Decodes every case of the manifest (which must outlive *out). Crops larger than the model wants
 * are reduced to side pixels. use_image false: no picture is read. MDF_ERR_STOPPED if progress said
 * so. */
mdf_status mdf_samples_load(mdf_samples *out, const mdf_manifest *m, int side, bool use_image,
                            mdf_samples_progress *progress, void *user,
                            mdf_error *err) MDF_NODISCARD;
void mdf_samples_free(mdf_samples *s);

#endif
