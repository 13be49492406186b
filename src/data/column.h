/* The columns of a table of cases, and what else a column may be called. */
#ifndef MDF_DATA_COLUMN_H
#define MDF_DATA_COLUMN_H

#include <stdbool.h>

#include "config/masks.h"

typedef enum mdf_column {
    MDF_COLUMN_FILE_NAME,
    MDF_COLUMN_LABEL,
    MDF_COLUMN_SPLIT,
    MDF_COLUMN_PATIENT_ID,
    MDF_COLUMN_TEXT,
    MDF_COLUMN_EYE,
    MDF_COLUMN_LABELS_ALL, /* every label of the case, for train_config.several_labels */
    MDF_COLUMN_DISC_X,     /* centre of the optic disc, in pixels of the picture */
    MDF_COLUMN_DISC_Y,
    MDF_COLUMN_MASKS, /* of vessels; the other masks follow in the order of mdf_mask_name */
    MDF_COLUMN_COUNT = MDF_COLUMN_MASKS + MDF_MASK_NAMES
} mdf_column;

extern const char *const mdf_column_names[MDF_COLUMN_COUNT];

/* The column that a name of a table means, whatever its capitals, with blanks or hyphens for
 * underscores and blanks around it; -1 = none of mdf's. */
int mdf_column_find(const char *name);

/* The column that somebody may have meant by a name that is none, or -1. *is_slip: it is misspelt
 * ("patientid", "lable"), rather than another data set's word for it ("diagnosis", "subject"). */
int mdf_column_meant(const char *name, bool *is_slip);

#endif
