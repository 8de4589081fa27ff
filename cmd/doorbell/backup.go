package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"doorbell/orders/store/postgres"
	"doorbell/orders/store/sqlite"
)

func backupCommand(env map[string]string) *cobra.Command {
	cfg, envErr := configFrom(env)
	if envErr != nil {
		cfg = &config{}
	}
	cmd := &cobra.Command{
		Use: "backup FILE", Short: "Write a consistent copy of the database, while the server runs or not",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if envErr != nil {
				return envErr
			}
			if cfg.Postgres != "" {
				err = postgres.Backup(cmd.Context(), cfg.Postgres, args[0])
			} else {
				err = sqlite.Backup(cmd.Context(), cfg.Data, args[0])
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "wrote", args[0])
			return err
		},
	}
	cfg.databaseFlags(cmd)
	return cmd
}

func restoreCommand(env map[string]string) *cobra.Command {
	cfg, envErr := configFrom(env)
	if envErr != nil {
		cfg = &config{}
	}
	cmd := &cobra.Command{
		Use: "restore [FILE]", Short: "Put a backup in place of the database",
		Long: "Put a backup in place of the database. With SQLite the server must be stopped. With Postgres the nodes may run:\n" +
			"they notice, and show every client what is true now. Without FILE, after Postgres was set back by other means, it\n" +
			"only tells the nodes so.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if envErr != nil {
				return envErr
			}
			done := "restored"
			switch {
			case len(args) == 0 && cfg.Postgres == "":
				return errors.New("name the file to restore")
			case len(args) == 0:
				done = "told the nodes that the database was set back"
				err = postgres.RaiseGeneration(cmd.Context(), cfg.Postgres)
			case cfg.Postgres != "":
				err = postgres.Restore(cmd.Context(), cfg.Postgres, args[0])
			default:
				err = sqlite.Restore(cmd.Context(), args[0], cfg.Data)
			}
			if err != nil {
				return err
			}
			for _, file := range args {
				done += " " + file
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), done)
			return err
		},
	}
	cfg.databaseFlags(cmd)
	return cmd
}

// databaseFlags declares which database a command is about.
func (c *config) databaseFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.Data, "data", c.Data, "data folder whose database it is ($"+envName("data")+")")
	cmd.Flags().StringVar(&c.Postgres, "postgres", c.Postgres, "Postgres database instead ($"+envName("postgres")+")")
	cmd.Flags().Lookup("postgres").DefValue = "" // --help prints it, and the environment's may hold a password
}
