package main

import (
	"crypto/rand"
	"fmt"

	"github.com/spf13/cobra"

	"troupe/actors/remote"
)

func secretCommand(s *session) *cobra.Command {
	return noun("secret", "Make the secret that brokers of a cluster share", secretNewCommand(s))
}

func secretNewCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "new",
		Short: "Print a new secret",
		Long: `Prints a new secret of 32 random bytes. Every broker of a cluster is given the same, by --secret-file; whoever has it is let
in, so keep the file from others. It encrypts gossip and all that brokers say to each other.

A secret file holds one secret a line. All are accepted, the first is used. To change the secret without stopping anything:
add the new one below the old one on every broker, then move it to the top on every broker, then remove the old one.`,
		Example: `  (umask 077; troupe secret new > cluster.secret)
  troupe secret new >> cluster.secret                # a second one, to change to`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			secret, err := remote.NewSecret(rand.Reader)
			if err != nil {
				return err
			}
			if s.output == "json" {
				return s.json(map[string]string{"secret": secret})
			}
			_, err = fmt.Fprintln(s.out, secret)
			return err
		},
	}
}
