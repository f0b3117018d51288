/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for libFuzzer where it is not available: feeds the files named by the arguments, or
 * all files of a directory, to the fuzz target once. A crash of the target is the failure.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { REPLAY_INPUT_BYTES_MAX = 1 << 20, REPLAY_PATH_BYTES_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Gives the target a block of exactly `size` bytes, so that ASan sees a read past the end. */
static int replay_bytes(const uint8_t *bytes, size_t size)
{
    uint8_t *exact = malloc(size > 0 ? size : 1);
    if (exact == NULL) {
        fprintf(stderr, "replay: out of memory\n");
        return -1;
    }
    if (size > 0) {
        memcpy(exact, bytes, size);
    }
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 0;
}

static int replay_file(const char *path)
{
    static uint8_t bytes[REPLAY_INPUT_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
        return -1;
    }
    size_t size = fread(bytes, 1, sizeof bytes, file);
    int failed = ferror(file);
    fclose(file);
    if (failed != 0 || size == sizeof bytes) {
        fprintf(stderr, "replay: %s: cannot be read or is not below 1 MiB\n", path);
        return -1;
    }
    return replay_bytes(bytes, size);
}

/* Adds the number of files replayed to *files_count. A missing directory counts as empty. */
static int replay_dir(const char *path, size_t *files_count)
{
    struct dirent **entries = NULL;
    int entries_count = scandir(path, &entries, NULL, alphasort);
    int result = entries_count < 0 && errno != ENOENT ? -1 : 0;
    for (int i = 0; i < entries_count; i++) {
        char name[REPLAY_PATH_BYTES_MAX];
        int length = snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.' && length > 0 && (size_t)length < sizeof name) {
            result |= replay_file(name);
            (*files_count)++;
        }
        free(entries[i]);
    }
    free(entries);
    return result;
}

int main(int argc, char **argv)
{
    size_t files_count = 0;
    int result = replay_bytes(NULL, 0);
    for (int i = 1; i < argc; i++) {
        struct stat info;
        if (stat(argv[i], &info) == 0 && !S_ISDIR(info.st_mode)) {
            result |= replay_file(argv[i]);
            files_count++;
        } else {
            result |= replay_dir(argv[i], &files_count);
        }
    }
    printf("replayed the empty input and %zu files\n", files_count);
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
