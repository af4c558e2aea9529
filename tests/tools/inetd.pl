#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# inetd.pl FILE COMMAND...: becomes COMMAND as inetd starts it in wait mode, with one listening socket as its
# descriptors 0, 1 and 2. The port is written to FILE first.
use strict;
use warnings;
use IO::Socket::INET;
use POSIX ();

my ($file, @command) = @ARGV;
my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 128) or die "listen: $!\n";
open my $out, '>', "$file.new" or die "$file.new: $!\n";
print $out $socket->sockport;
close $out or die "$file.new: $!\n";
rename "$file.new", $file or die "$file: $!\n";
POSIX::dup2(fileno $socket, $_) for 0 .. 2;
exec @command;
