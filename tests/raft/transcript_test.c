/* The transcripts of Raft: raft_transcript_test FOLDER [--rewrite]. */
#include "film.h"
#include "tests/transcripts/transcript.h"

int main(int argc, char **argv)
{
    return transcripts_main(argc, argv, film_run);
}
