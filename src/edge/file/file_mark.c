/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/file/file_mark.h"

#include "edge/fs/make_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK_PATH SL_FILE_PRIVATE "/mark"
#define MARK_FEED_PATH SL_FILE_PRIVATE "/feed"
#define MARK_BYTES_MAX 256u
#define MARK_WORD "sluice-file-sink-1 "

/* ---- the text ---- */

/* The next word, without the blank or line end behind it. */
static bool mark_word(char *out, size_t size, struct sl_str *rest)
{
    size_t len = 0;
    while (len < rest->len && rest->ptr[len] != ' ' && rest->ptr[len] != '\n')
        len++;
    if (len == 0 || len >= size || len == rest->len)
        return false;
    memcpy(out, rest->ptr, len);
    out[len] = '\0';
    *rest = (struct sl_str){ rest->ptr + len + 1, rest->len - len - 1 };
    return strlen(out) == len;
}

bool sl_file_mark_parse(struct sl_file_mark *m, struct sl_str text)
{
    size_t head = strlen(MARK_WORD);
    *m = (struct sl_file_mark){ .id = "" };
    if (text.len < head || memcmp(text.ptr, MARK_WORD, head) != 0)
        return false;
    struct sl_str rest = { text.ptr + head, text.len - head };
    return mark_word(m->protocol, sizeof m->protocol, &rest) && mark_word(m->id, sizeof m->id, &rest) && rest.len == 0;
}

static bool mark_read(struct sl_file_mark *m, int root, bool *is_there, struct sl_trouble *t)
{
    char text[MARK_BYTES_MAX];
    size_t length;
    if (!sl_file_get_whole(root, MARK_PATH, text, sizeof text, &length, is_there, t))
        return false;
    return !*is_there || sl_file_mark_parse(m, (struct sl_str){ text, length }) ||
           sl_trouble_set(t, SL_TROUBLE_LASTING, "SINK_DAMAGED", "restore " MARK_PATH ", or use an empty directory",
                          "file: the mark of the directory is damaged");
}

/* ---- making it ---- */

static bool mark_make_directory(const char *path, struct sl_trouble *t)
{
    int failure = sl_fs_make_path(path);
    return failure == 0 || sl_file_trouble(t, failure, "make the directory", NULL);
}

static int mark_open_directory(const char *path, struct sl_trouble *t)
{
    int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        sl_file_trouble(t, errno, "open the directory", NULL);
    return root;
}

static bool mark_make_id(struct sl_file_opts *o, struct sl_trouble *t)
{
    uint64_t random;
    struct sl_text text;
    if (o->id[0] != '\0')
        return true;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return sl_file_trouble(t, errno, "get a random number", NULL);
    sl_text_init(&text, o->id, sizeof o->id);
    sl_text_hex64(&text, random);
    return true;
}

static bool mark_fits(const struct sl_file_opts *o, const struct sl_file_mark *m, struct sl_trouble *t)
{
    char remedy[sizeof t->remedy];
    snprintf(remedy, sizeof remedy, "give each feed a directory of its own; if it is this feed's, add id=%s to the URI",
             m->id);
    if (strcmp(o->id, m->id) != 0)
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "SINK_IN_USE", remedy,
                              "file: the directory holds the files of a feed already");
    const char *protocol = sl_file_protocol_name(o->protocol);
    return strcmp(protocol, m->protocol) == 0 ||
           sl_trouble_set(t, SL_TROUBLE_LASTING, "SINK_IN_USE", "use another directory for another protocol",
                          "file: the files in the directory are %s, not %s", m->protocol, protocol);
}

static bool mark_put(int root, struct sl_file_opts *o, struct sl_trouble *t)
{
    struct sl_file_mark m;
    char text[MARK_BYTES_MAX];
    bool is_there;
    if (!sl_file_make_folder(root, SL_FILE_PRIVATE, t) || !mark_read(&m, root, &is_there, t))
        return false;
    if (is_there)
        return mark_fits(o, &m, t);
    if (!mark_make_id(o, t))
        return false;
    snprintf(text, sizeof text, MARK_WORD "%s %s\n", sl_file_protocol_name(o->protocol), o->id);
    return sl_file_put_whole(root, MARK_PATH, sl_str_of(text), t) && sl_file_sync_folder(root, SL_FILE_PRIVATE, t);
}

bool sl_file_mark_make(struct sl_file_opts *o, struct sl_trouble *t)
{
    int root = mark_make_directory(o->directory, t) ? mark_open_directory(o->directory, t) : -1;
    bool is_made = root >= 0 && mark_put(root, o, t);
    if (root >= 0)
        close(root);
    return is_made;
}

/* ---- finding it ---- */

static bool mark_find(int root, const struct sl_file_opts *o, struct sl_trouble *t)
{
    struct sl_file_mark m;
    bool is_there;
    if (!mark_read(&m, root, &is_there, t))
        return false;
    if (is_there && (o->id[0] == '\0' || strcmp(o->id, m.id) == 0))
        return strcmp(sl_file_protocol_name(o->protocol), m.protocol) == 0 || mark_fits(o, &m, t);
    return sl_trouble_set(t, SL_TROUBLE_LASTING, "SINK_NOT_SHARED",
                          "mount one shared directory at this path on every node, then resume the feed",
                          is_there
                              ? "file: this node sees another directory than the one that the feed was made with"
                              : "file: this node does not see the mark that the directory got when the feed was made");
}

/* The first node writes which feed it is. */
static bool mark_bind(int root, const struct sl_feed_id *feed, struct sl_trouble *t)
{
    char wanted[48], got[48];
    struct sl_text text;
    size_t length;
    bool is_there = false;
    sl_text_init(&text, wanted, sizeof wanted);
    sl_text_hex64(&text, feed->high);
    sl_text_hex64(&text, feed->low);
    sl_text_cstr(&text, "\n");
    int fd = openat(root, MARK_FEED_PATH ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return sl_file_trouble(t, errno, "open", MARK_FEED_PATH);
    bool is_done = sl_file_lock_wait(fd, NULL, t) &&
                   sl_file_get_whole(root, MARK_FEED_PATH, got, sizeof got, &length, &is_there, t);
    if (is_done && !is_there)
        is_done = sl_file_put_whole(root, MARK_FEED_PATH, (struct sl_str){ wanted, text.len }, t);
    else if (is_done && strcmp(wanted, got) != 0)
        is_done = sl_trouble_set(t, SL_TROUBLE_LASTING, "SINK_IN_USE", "give each feed a directory of its own",
                                 "file: the directory belongs to another feed");
    close(fd);
    return is_done && (is_there || sl_file_sync_folder(root, SL_FILE_PRIVATE, t));
}

int sl_file_mark_open(const struct sl_file_opts *o, const struct sl_feed_id *feed, struct sl_trouble *t)
{
    int root = mark_open_directory(o->directory, t);
    if (root >= 0 && mark_find(root, o, t) && mark_bind(root, feed, t))
        return root;
    if (root >= 0)
        close(root);
    return -1;
}
