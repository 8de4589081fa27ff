package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"doorbell/orders/store"
)

func backupCommand(env map[string]string) *cobra.Command {
	cfg, envErr := configFrom(env)
	if envErr != nil {
		cfg = &config{}
	}
	cmd := &cobra.Command{
		Use: "backup FILE", Short: "Write a consistent copy of the database, while the server runs or not",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if envErr != nil {
				return envErr
			}
			if err := store.Backup(cmd.Context(), cfg.Data, args[0]); err != nil {
				return err
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "wrote", args[0])
			return err
		},
	}
	cmd.Flags().StringVar(&cfg.Data, "data", cfg.Data, "data folder to copy ($"+envName("data")+")")
	return cmd
}

func restoreCommand(env map[string]string) *cobra.Command {
	cfg, envErr := configFrom(env)
	if envErr != nil {
		cfg = &config{}
	}
	cmd := &cobra.Command{
		Use: "restore FILE", Short: "Put a backup in place of the database; the server must be stopped",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if envErr != nil {
				return envErr
			}
			if err := store.Restore(cmd.Context(), args[0], cfg.Data); err != nil {
				return err
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "restored", args[0])
			return err
		},
	}
	cmd.Flags().StringVar(&cfg.Data, "data", cfg.Data, "data folder to restore into ($"+envName("data")+")")
	return cmd
}
