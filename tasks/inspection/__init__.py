"""What happens inside a recurrent model: states, gates, gradients, and what an answer rests on."""
