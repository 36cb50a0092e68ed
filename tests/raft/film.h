/* Film: a cluster that does what a script says, one command at a time, and shows every output.
 *
 * Nothing happens by itself: packets wait until they are delivered, writes until they are synced,
 * and time moves only when a node ticks. So a script is the interleaving.
 *
 *   cluster N                 N voters with empty disks, all down
 *   option NAME VALUE         of the nodes started after it
 *   log NODE TERM...          the terms of the entries on its disk
 *   hard NODE TERM VOTE       the term and vote on its disk
 *   lose NODE INDEX           what its disk holds after INDEX, its vote, and its last terms
 *   start NODE|all [commit INDEX] [withheld]
 *   tick NODE                 when its deadline has come
 *   wait MS                   time passes, and nobody ticks
 *   deliver FROM TO [COUNT]   the oldest packets; all of them without a count
 *   drop FROM TO [COUNT]      they are lost
 *   double FROM TO            the oldest is there twice
 *   late FROM TO              the oldest goes behind the others
 *   write NODE                its oldest write reaches the disk
 *   report NODE               the oldest write on the disk is reported
 *   sync NODE                 every write reaches the disk, and the last is reported
 *   propose NODE COUNT [BYTES]
 *   read NODE
 *   cut NODE INDEX
 *   readmit NODE INDEX
 *   lost NODE PEER            it is told that its connection to the peer is gone for good
 *   crash NODE                what has not reached the disk is lost
 *   settle                    deliver and sync until nothing is left, without showing it
 *   show                      every node
 */
#ifndef TESTS_RAFT_FILM_H
#define TESTS_RAFT_FILM_H

#include <stdbool.h>
#include <stdio.h>

/* Run the commands of a script, the lines that begin with "> ", and write it anew with their
 * outputs. False: a command that is no command; it is named in the output. */
bool film_run(const char *script, FILE *out);

#endif
