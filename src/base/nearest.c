/* How far two names are from each other. */
#include "base/nearest.h"

#include <string.h>

int mdf_edit_distance(const char *a, const char *b)
{
    int row[MDF_NEAREST_LONGEST + 1];
    const size_t n = strlen(a);
    const size_t m = strlen(b);
    if (n > MDF_NEAREST_LONGEST || m > MDF_NEAREST_LONGEST) {
        return MDF_NEAREST_LONGEST;
    }
    for (int j = 0; j <= (int)m; j++) {
        row[j] = j;
    }
    for (int i = 1; i <= (int)n; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= (int)m; j++) {
            const int replace = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            const int edit = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);
            row[j] = replace < edit ? replace : edit;
        }
    }
    return row[m];
}
